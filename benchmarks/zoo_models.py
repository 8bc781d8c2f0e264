"""The model zoo: `ENTRIES`, one small member of every timm and torchvision family and some of transformers.

python -m benchmarks.zoo_models --list
python -m benchmarks.zoo_models --check [--only PATTERN] [--strip]
"""

from __future__ import annotations

import argparse
import fnmatch
import time
from collections.abc import Sequence

import torch
from benchmarks.zoo_kit import timm_models, torchvision_models, transformers_models
from benchmarks.zoo_kit.entry import Entry
from benchmarks.zoo_kit.losses import projected
from benchmarks.zoo_kit.strip import strip_norms

__all__ = ["ENTRIES", "Entry", "select", "strip_norms"]

ENTRIES: tuple[Entry, ...] = (
    *timm_models.entries(),
    *torchvision_models.entries(),
    *transformers_models.entries(),
)


def select(pattern: str = "*") -> tuple[Entry, ...]:
    """The entries whose name matches a glob, or contains the text."""
    return tuple(e for e in ENTRIES if fnmatch.fnmatch(e.name, pattern) or pattern in e.name)


def check(entry: Entry, *, strip: bool = False) -> str:
    """One forward and backward of the entry; a line of times and sizes."""
    start = time.perf_counter()
    model = entry.build()
    if strip:
        model = strip_norms(model)
    built = time.perf_counter()
    inputs = entry.inputs()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fed = time.perf_counter()
        output = run(model, inputs)
        forward = time.perf_counter()
        projected(output).backward()
        backward = time.perf_counter()
    num = sum(p.numel() for p in model.parameters())
    unused = sum(p.grad is None for p in model.parameters() if p.requires_grad)
    return (
        f"{num / 1e6:7.1f}M  build {built - start:5.2f}  forward {forward - fed:5.2f}  "
        f"backward {backward - forward:5.2f}  without gradient {unused}"
    )


def run(model: torch.nn.Module, inputs: object) -> object:
    """Calls the model as `initium.record` does: positional, keyword or single."""
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="names and families only")
    parser.add_argument("--check", action="store_true", help="run each forward and backward")
    parser.add_argument("--only", default="*", help="a glob or a part of the name")
    parser.add_argument("--strip", action="store_true", help="without normalization layers")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        smoke()
        return
    listed(select(options.only), check_all=options.check, strip=options.strip)


def smoke() -> None:
    """A small model of each library that is quick to build runs forward and backward."""
    some = [entry for name in ("timm:starnet_s050", "torchvision:squeezenet1_1") for entry in select(name)]
    assert len(some) == 2
    assert listed(some, check_all=True, strip=False) == 0
    assert listed(some[:1], check_all=True, strip=True) == 0
    assert listed(ENTRIES, check_all=False, strip=False) == 0


def listed(entries: Sequence[Entry], *, check_all: bool, strip: bool) -> int:
    """Print a line an entry; how many failed."""
    failed = 0
    for entry in entries:
        try:
            note = check(entry, strip=strip) if check_all and not entry.reason else entry.reason
        except Exception as error:
            note, failed = f"FAILED {type(error).__name__}: {str(error)[:300]}", failed + 1
        print(f"{entry.name:48} {entry.family:36} {note}", flush=True)
    print(f"{len(entries)} entries, {failed} failed")
    return failed


if __name__ == "__main__":
    main()
