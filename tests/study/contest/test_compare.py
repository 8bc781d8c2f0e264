"""Whole comparisons on a tiny task: the same on every engine, after every interruption, and found wrong in time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from tests.study.run.test_store import seen_elsewhere
from torch import nn

import initium
from initium.engines.serial import SerialEngine
from initium.errors import StoreError, TrialError
from initium.study.contest.comparison import Comparison
from initium.study.report_store import report
from initium.study.run.runner import Ended
from initium.study.run.store import Store
from initium.study.tasks import Probe
from initium.study.trial.spec import TrialSpec

TINY: dict[str, Any] = {
    "inits": ["auto", "he_normal", "zeros"],
    "lrs": [1e-3, 3e-3],
    "steps": 8,
    "batch_size": 32,
    "seeds": 3,
    "confirm": 3,
    "engine": "serial",
    "progress": False,
}


def tiny(make: Any = "mlp4-relu", **changes: Any) -> Comparison:
    found = initium.compare(make, "classification", **{**TINY, **changes})
    assert isinstance(found, Comparison)
    return found


def told(found: Comparison) -> Comparison:
    """A comparison without what the clock decides."""
    standings = [
        replace(one, scores=tuple(replace(score, seconds=0.0) for score in one.scores))
        for one in found.standings
    ]
    return replace(found, standings=tuple(standings))


class Interrupting:
    """A watch that interrupts after some trials."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.ran = 0

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """Nothing."""

    def ended(self, one: Ended) -> None:
        self.ran += not one.kept
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def fail_when_run(model: nn.Module, probe: Probe, seed: int) -> None:
    """Works while it is checked, and fails in a trial of seed 1."""
    if seed == 1:
        raise ValueError("seed one")


def not_finite(model: nn.Module, probe: Probe, seed: int) -> None:
    """Leaves weights so large that every loss is nan."""
    with torch.no_grad():
        next(model.parameters()).fill_(3e38)


def nan_when_run(model: nn.Module, probe: Probe, seed: int) -> None:
    """Sound while it is checked, and not in a trial of seed 1."""
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan") if seed == 1 else 0.1)


def test_serial_and_processes_agree_and_touch_no_generator() -> None:
    before = torch.random.get_rng_state()
    few = {"inits": ["auto", "zeros"], "lrs": [1e-3], "seeds": 2, "confirm": 2}
    serial = tiny(**few)
    assert torch.equal(before, torch.random.get_rng_state())
    assert told(serial) == told(tiny(engine="processes", workers=2, **few))
    assert serial.finished
    assert serial.ranking[-1] == "zeros"


@pytest.mark.parametrize("after", [1, 13])
def test_an_interrupted_comparison_goes_on_to_the_same_end(tmp_path: Path, after: int) -> None:
    path = tmp_path / "study.db"
    watch = Interrupting(after)
    with pytest.raises(KeyboardInterrupt):
        tiny(store=path, progress=watch)
    partial = report(path)
    assert sum(len(one.scores) for one in partial.standings) == after
    assert not partial.finished
    rest = Interrupting(10**6)
    found = tiny(store=path, progress=rest)
    assert told(found) == told(tiny())
    assert told(report(path)) == told(found)
    assert watch.ran + rest.ran == sum(len(one.scores) for one in found.standings)


def test_fresh_runs_everything_again(tmp_path: Path) -> None:
    first, again, fresh = (Interrupting(10**6) for _ in range(3))
    tiny(store=tmp_path / "study.db", progress=first)
    tiny(store=tmp_path / "study.db", progress=again)
    tiny(store=tmp_path / "study.db", progress=fresh, fresh=True)
    assert again.ran == 0
    assert fresh.ran == first.ran > 0


def test_some_of_a_comparison_can_be_compared_alone_with_the_trials_that_are_there(tmp_path: Path) -> None:
    tiny(inits=["auto", "he_normal", "xavier_normal", "zeros"], store=tmp_path / "study.db")
    watch = Interrupting(10**6)
    found = tiny(inits=["xavier_normal", "zeros"], store=tmp_path / "study.db", progress=watch)
    assert found.decision.num_fresh == 3
    assert watch.ran <= 2 * 3  # screening and race were there; only fresh seeds ran


def test_one_method_under_two_names_is_the_same() -> None:
    found = tiny(inits={"one": "he_normal", "other": "he_normal"})
    assert found.winner is None
    assert found.decision.pairs[0].difference.mean == 0.0


def test_an_init_that_fails_or_diverges_loses_and_is_told_of() -> None:
    inits = {"auto": "auto", "bad": fail_when_run, "worse": nan_when_run, "nan": not_finite, "zeros": "zeros"}
    found = tiny(inits=inits)
    assert "seed one" in found["bad"].failure
    assert "values of the parameter '1.weight' nan or infinite" in found["worse"].failure
    assert all(score.diverged for score in found["nan"].scores)
    assert found.ranking[0] == "auto"
    with pytest.raises(TrialError, match="seed one"):
        tiny(inits={"bad": fail_when_run, "worse": fail_when_run})


def test_a_store_without_a_comparison_cannot_be_reported(tmp_path: Path) -> None:
    Store(tmp_path / "study.db").close()
    with pytest.raises(StoreError, match="holds no study"):
        report(tmp_path / "study.db")


CONTROLLER = """
import sys
from tests.study.contest.test_compare import told, tiny
if __name__ == "__main__":
    tiny(store=sys.argv[1], engine="processes", workers=2, steps=20)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_twenty_random_moments_the_table_is_the_same(tmp_path: Path) -> None:
    """kill -9 of the controller, and now and then of a worker, until the study is at its end."""
    script, path = tmp_path / "controller.py", tmp_path / "study.db"
    script.write_text(CONTROLLER)
    chance, kills = random.Random(0), 0
    while True:
        process = subprocess.Popen([sys.executable, str(script), str(path)], start_new_session=True)
        try:
            process.wait(timeout=4.0 + 4.0 * chance.random() if kills < 20 else None)
            if kills >= 20:
                break
            path.unlink()  # it was done too early: begin again, to be killed at other moments
        except subprocess.TimeoutExpired:
            kills += 1
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(0.2)
    undisturbed = tiny(steps=20)
    assert told(report(path)) == told(undisturbed)
    with Store(path) as store:
        assert len(store) == sum(len(one.scores) for one in undisturbed.standings)


class Packing(SerialEngine):
    """Reads every file of a directory when it is entered, as an engine does that sends it to a cluster."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def __enter__(self) -> Self:
        for path in self.directory.iterdir():
            path.read_bytes()
        return self


class Looking:
    """A watch that has another process count the results after each trial."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen = path, []  # type: ignore[var-annotated]

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        pass

    def ended(self, one: Ended) -> None:
        self.seen.append(seen_elsewhere(self.path))


def test_results_are_seen_at_once_whatever_an_engine_reads(tmp_path: Path) -> None:
    store = tmp_path / "study.db"
    looking = Looking(store)
    asked = {"inits": ["he_normal", "zeros"], "lrs": [1e-3], "seeds": 2, "confirm": 2, "steps": 2}
    tiny(**asked, engine=Packing(tmp_path), store=store, progress=looking)
    assert looking.seen == list(range(1, 9))
