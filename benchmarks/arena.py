"""Which start wins where: `auto` against what an expert might pick, on nets with and without norms.

    python -m benchmarks.arena --short                 one or more nets of each family, 8 minutes on two idle cores
    python -m benchmarks.arena [--only 'mlp*'] [--jobs 1]   everything: some hours
    python -m benchmarks.arena --table [--picture p.svg]   the table of what the store has, and a picture

Every start at its own best learning rate of the same grid, on the same seeds and data: all rates on the first seed, the
best, and the second best where that is near, on the others. The loss is the final training loss (mean of the last ten
steps). Regret is the excess over the best of all starts on that net, `auto` included. The
trials are those of initium.study, kept in its store: a run that was stopped goes on where it was. AnyInit takes part
if the package is installed (`pip install anyinit`).
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from benchmarks.arena_kit.grid import (
    LONG_RATES,
    LONG_SEEDS,
    SHORT_RATES,
    SHORT_SEEDS,
    Cell,
    long_grid,
    plain,
    short_grid,
)
from benchmarks.arena_kit.picture import profile
from benchmarks.arena_kit.starts import has_anyinit, starts
from benchmarks.arena_kit.table import Row, table
from benchmarks.arena_kit.work import trial

from initium.engines import open_engine
from initium.report import standalone, write_atomically
from initium.study.run.runner import Ended, Runner
from initium.study.run.store import Store
from initium.study.tasks import open_task
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

NEAR = 0.1
"""How much higher a loss may be on the first seed for its learning rate to be tried on the others."""


class Progress:
    """Says how far a run is, a line a net."""

    def begin(self, phase: str, num: int, most: int) -> None:
        """Nothing."""

    def ended(self, one: Ended) -> None:
        """Failures only."""
        if one.failure is not None:
            text = one.failure.message.strip().splitlines()[-1][:160]
            print(
                f"    failed: {one.spec.init.get('policy', one.spec.init.get('function'))}: {text}",
                flush=True,
            )


def row_of(cell: Cell, found: dict[str, TrialResult], rates: tuple[float, ...], seeds: int) -> Row | None:
    """The cell's row; a start that a trial of is missing is left out, and all of it where `auto` is."""
    losses: dict[str, list[float]] = {}
    for label, by_rate in cell.trials(rates, seeds).items():
        known = [
            [found[one.key].final_loss for one in trials]
            for trials in by_rate.values()
            if all(one.key in found for one in trials)
        ]
        if known:
            losses[label] = min(known, key=fmean)
    chance = open_task({"kind": cell.task}).ceiling / 2
    return Row(cell.name, losses, chance, cell.normed) if "auto" in losses and len(losses) > 1 else None


def main() -> None:
    """Run what is missing, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one or more nets of each family")
    parser.add_argument("--only", default="*", help="a glob on names of nets")
    parser.add_argument("--out", type=Path, default=Path("arena.sqlite"), help="the store")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--picture", type=Path, help="also draw how near each start comes to the best (SVG)")
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    chosen = parser.parse_args()
    if not has_anyinit():
        print("AnyInit is not installed and does not take part: pip install anyinit")
    if chosen.smoke:
        smoke()
        return
    cells = short_grid() if chosen.short else long_grid()
    cells = tuple(cell for cell in cells if fnmatch.fnmatch(cell.name, chosen.only))
    rates, seeds = (SHORT_RATES, SHORT_SEEDS) if chosen.short else (LONG_RATES, LONG_SEEDS)
    begin = time.monotonic()
    rows, num = outcome(cells, rates, seeds, chosen.out, 0 if chosen.table else chosen.jobs)
    print(table(rows) if rows else "nothing was run yet")
    if chosen.picture is not None and rows:
        write_atomically(chosen.picture, standalone(profile(rows)))
    print(f"\n{len(rows)} of {len(cells)} nets, {num} trials, {math.ceil(time.monotonic() - begin)} s")


def outcome(
    cells: tuple[Cell, ...], rates: tuple[float, ...], seeds: int, out: Path, jobs: int
) -> tuple[list[Row], int]:
    """The rows, and the number of trials behind them; what the store has not is run first, if by any jobs."""
    with Store(out, write=jobs > 0) as store:
        if jobs:
            run(cells, rates, seeds, store, jobs)
        keys = [
            one.key
            for cell in cells
            for by_rate in cell.trials(rates, seeds).values()
            for trials in by_rate.values()
            for one in trials
        ]
        found = store.results(keys)
    return [row for cell in cells if (row := row_of(cell, found, rates, seeds)) is not None], len(found)


def smoke() -> None:
    """Two nets of four layers for three steps: every start is in the table and the picture, and nothing runs twice."""
    cells = tuple(replace(plain("mlp", 4, act), steps=3, batch=16) for act in ("relu", "written"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "arena.sqlite"
        rows, num = outcome(cells, (1e-3,), 1, out, 1)
        again, same = outcome(cells, (1e-3,), 1, out, 0)
    print(table(rows))
    labels = set(starts(own=False))
    assert num == same == len(cells) * len(labels), num
    assert again == rows
    assert [set(row.losses) for row in rows] == [labels, labels]
    assert all(0 < loss < 9 for row in rows for losses in row.losses.values() for loss in losses)
    assert "auto" in standalone(profile(rows))


def run(cells: tuple[Cell, ...], rates: tuple[float, ...], seeds: int, store: Store, jobs: int) -> None:
    """Every trial that the store has not, net by net."""
    with open_engine("processes", num_workers=jobs) as engine:
        runner = Runner(engine, store, watch=Progress(), work=trial)
        for cell in cells:
            begin = time.monotonic()
            starts = list(cell.trials(rates, seeds).values())
            ended = runner.run(some[0] for by_rate in starts for some in by_rate.values())
            ended |= runner.run(one for by_rate in starts for one in _more(by_rate, ended))
            fresh = sum(not one.kept for one in ended.values())
            print(f"{cell.name:34} {fresh:4} trials {time.monotonic() - begin:6.1f} s", flush=True)


def _more(by_rate: dict[float, list[TrialSpec]], ended: dict[str, Ended]) -> list[TrialSpec]:
    """A start's trials on the other seeds, at the rates that were best on the first seed."""
    first = {
        rate: result.final_loss if (result := ended[some[0].key].result) is not None else math.inf
        for rate, some in by_rate.items()
    }
    return [one for rate in promising(first) for one in by_rate[rate][1:]]


def promising(losses: dict[float, float]) -> list[float]:
    """The learning rate with the lowest loss, and the next if it is within `NEAR` of it."""
    best, *others = sorted(losses, key=lambda rate: losses[rate])
    return [best, *(rate for rate in others[:1] if losses[rate] <= (1.0 + NEAR) * losses[best] < math.inf)]


if __name__ == "__main__":
    main()
