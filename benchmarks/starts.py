"""A digest of the start that `init_` gives every net of the arena and the zoo: did a change of the code change one?

    python -m benchmarks.starts -o starts.json [--only 'mlp*'] [--zoo] [--smoke]   one digest a net
    python -m benchmarks.starts --against starts.json                              and the nets whose start differs

Equal digests mean equal bits of every parameter and buffer. They hold for one machine and one version of torch:
calibrated scales are sums in floating point.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from benchmarks.arena_kit.grid import Cell, long_grid
from torch import nn

import initium
from initium.study.tasks import open_task
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import PROBED, build

SMOKE = "mlp8-[rts]*"


def digest(model: nn.Module) -> str:
    """Of the names and bits of all parameters and buffers."""
    found = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def of_cell(cell: Cell) -> str:
    """The digest of the arena's net, started by `auto` on its task."""
    spec = TrialSpec(
        cell.model, {"kind": "policy", "policy": "auto"}, {"kind": cell.task},
        steps=1, batch_size=cell.batch, model_args=cell.args,
    )  # fmt: skip
    task = open_task({"kind": cell.task})
    with torch.random.fork_rng(devices=[]):
        model = build(spec, task)
    probe = task.probe(PROBED, seed=0)
    initium.init_(model, probe.inputs, forward=probe.forward, loss=probe.loss, seed=0)
    return digest(model)


def of_entry(entry: Any) -> str:
    """The digest of the zoo's model, started by `auto`."""
    model = entry.build()
    initium.init_(model, entry.inputs())
    return digest(model)


def digest_or_error(make: Callable[[], str]) -> str:
    """The digest, or what went wrong: one net that fails hides none of the others."""
    try:
        return make()
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:100]}"


def nets(*, zoo: bool, smoke: bool) -> Iterator[tuple[str, Callable[[], str]]]:
    """Name and digest of every net asked for."""
    for cell in long_grid():
        if not smoke or fnmatch.fnmatch(cell.name, SMOKE):
            yield cell.name, lambda cell=cell: of_cell(cell)
    if zoo:
        from benchmarks.zoo_models import ENTRIES

        for entry in ENTRIES:
            if not entry.reason:
                yield f"zoo {entry.name}", lambda entry=entry: of_entry(entry)


def main() -> int:
    """Prints a digest a net, and whether it is the one of before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="*", help="a glob of names")
    parser.add_argument("--zoo", action="store_true", help="the models of the zoo too")
    parser.add_argument("--smoke", action="store_true", help="a few small nets only, each twice")
    parser.add_argument("-o", "--out", type=Path, help="where the digests are kept")
    parser.add_argument("--against", type=Path, help="digests of before")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    before = json.loads(chosen.against.read_text()) if chosen.against else {}
    found: dict[str, str] = {}
    for name, make in nets(zoo=chosen.zoo, smoke=chosen.smoke):
        if not fnmatch.fnmatch(name, chosen.only):
            continue
        found[name] = digest_or_error(make)
        if chosen.smoke:
            assert len(found[name]) == 16, found[name]
            assert digest_or_error(make) == found[name]
        changed = name in before and before[name] != found[name]
        print(f"{name:48} {found[name]}{'  CHANGED' if changed else ''}", flush=True)
        if chosen.out:
            chosen.out.write_text(json.dumps(found, indent=1) + "\n")
    changes = [name for name in found if name in before and before[name] != found[name]]
    if chosen.smoke:
        assert len(set(found.values())) == len(found) > 2  # other nets, other starts
    if before:
        print(f"{len(found) - len(changes)} of {len(found)} starts are what they were")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
