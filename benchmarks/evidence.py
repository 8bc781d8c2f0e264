"""Runs the standard grid of nets and inits and writes what came out as data of the package.

    python -m benchmarks.evidence                      # goes on where it was; writes the file named below
    python -m benchmarks.evidence --nets mlp8-relu     # some nets only; the others keep their entries

Every init at every learning rate on the same seeds; the best rate of each is kept, by its mean loss.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import initium
from initium.engines import open_engine
from initium.report import write_atomically
from initium.study.advice.net_traits import Traits
from initium.study.advice.recommend import EVIDENCE_FORMAT, read_evidence
from initium.study.run.runner import Runner
from initium.study.run.store import Store
from initium.study.tasks import open_task
from initium.study.trial.inits import init_data
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

NETS = (
    "mlp8-relu", "mlp20-tanh", "mlp8-sigmoid", "mlp20-gelu", "cnn8-relu", "cnn20-relu", "resnet12-nonorm", "resnet12",
    "vit6",
)  # fmt: skip
INITS = ("auto", "lsuv", "he_normal", "xavier_normal", "orthogonal", "shipped")
LRS = (1e-3, 3e-3)
SEEDS = (0, 1, 2)
STEPS, BATCH = 100, 128
TARGET = Path(initium.__file__).parent / "data" / "files" / "evidence.json"


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nets", nargs="*", default=NETS)
    parser.add_argument("--store", type=Path, default=Path("evidence.db"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    given = parser.parse_args()
    if given.smoke:
        smoke()
        return
    kept = json.loads(TARGET.read_text()) if TARGET.exists() else {"runs": []}
    runs = {one["model"]: one for one in kept["runs"]}
    engine = (
        open_engine("processes", num_workers=given.workers) if given.workers > 1 else open_engine("serial")
    )
    with Store(given.store) as store, engine:
        runner = Runner(engine, store)
        for net in given.nets:
            begin = time.monotonic()
            runs[net] = run_net(net, runner)
            order = ", ".join(f"{one['init']} {one['loss']:.3f}" for one in runs[net]["inits"])
            print(f"{net}: {order} ({time.monotonic() - begin:.0f} s)", flush=True)
            write(runs, TARGET)


def smoke() -> None:
    """One small net for three steps, one seed: what is written is what `recommend` reads."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "evidence.json"
        with Store(Path(folder) / "evidence.db") as store, open_engine("serial") as engine:
            run = run_net("mlp4-relu", Runner(engine, store), steps=3, seeds=(0,))
        write({"mlp4-relu": run}, target)
        _, (found,) = read_evidence(json.loads(target.read_text()))
    print(found)
    assert {one["init"] for one in run["inits"]} == set(INITS)
    assert all(0 < one["loss"] < 9 for one in run["inits"])
    assert run["traits"]["weights"] == 4
    assert found.model == "mlp4-relu"


def run_net(net: str, runner: Runner, *, steps: int = STEPS, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """One net: all its trials, and what they say."""
    base = TrialSpec(net, init_data("shipped"), {"kind": "classification"}, steps=steps, batch_size=BATCH)
    grid = {
        (init, lr): [replace(base, init=init_data(init), lr=lr, seed=seed) for seed in seeds]
        for init in INITS
        for lr in LRS
    }
    ended = runner.run(spec for specs in grid.values() for spec in specs)
    lines = []
    for init in INITS:
        by_rate = {lr: [ended[spec.key].result for spec in grid[init, lr]] for lr in LRS}
        sound = {lr: some for lr, some in by_rate.items() if None not in some}
        if sound:
            lines.append(summary(init, sound))
    task = open_task("classification")
    traits = Traits.of(initium.record(task.make_model(net), **vars(task.probe())))
    return {
        "run": f"{net}/classification/{base.steps} steps",
        "model": net,
        "task": "classification",
        "setting": f"AdamW, {steps} steps of {BATCH}, best of {len(LRS)} learning rates",
        "traits": traits.to_data(),
        "inits": sorted(lines, key=lambda one: one["loss"]),
    }


def summary(init: str, by_rate: dict[float, Sequence[TrialResult]]) -> dict[str, Any]:
    """The means of one init at its best learning rate."""

    def mean(name: str, some: Sequence[TrialResult]) -> float:
        return round(sum(getattr(one, name) for one in some) / len(some), 4)

    lr = min(by_rate, key=lambda one: mean("area", by_rate[one]))
    best = by_rate[lr]
    figures = {"loss": "area", "final_loss": "final_loss", "metric": "metric"}
    return {
        "init": init,
        "lr": lr,
        "num": len(best),
        **{key: mean(name, best) for key, name in figures.items()},
    }


def write(runs: dict[str, dict[str, Any]], target: Path) -> None:
    """All runs so far, with what they were made with."""
    data = {
        "format": EVIDENCE_FORMAT,
        "date": datetime.now(UTC).date().isoformat(),
        "initium": initium.__version__,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, one thread a trial",
        "runs": [runs[net] for net in sorted(runs)],
    }
    write_atomically(target, json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
