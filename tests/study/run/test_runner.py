"""The runner writes down what ends, runs nothing twice, and keeps everything when it is interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from initium.engines import open_engine
from initium.errors import StoreError
from initium.study.run.runner import Ended, Runner
from initium.study.run.store import Store
from initium.study.trial.inits import Health
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

BASE = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"})
SPECS = [replace(BASE, seed=seed) for seed in range(6)]


def quick(data: dict[str, Any]) -> dict[str, Any]:
    """A trial that only writes that it ran; seed 3 may fail or be interrupted."""
    log = Path(data["model_args"]["log"]) if "log" in data["model_args"] else None
    if log is not None:
        with log.open("a") as file:
            file.write(f"{data['seed']}\n")
    if data["seed"] == 3 and data["model_args"].get("do") == "fail":
        raise ValueError("three")
    if data["seed"] == 3 and data["model_args"].get("do") == "interrupt":
        raise KeyboardInterrupt
    loss = 1.0 + data["seed"]
    return TrialResult((loss,), loss, loss, 0.5, loss, False, 1, 0.1, Health("healthy", 0.0)).to_data()


class Seen:
    """A watch that remembers."""

    def __init__(self) -> None:
        self.all: list[Ended] = []

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        raise AssertionError

    def ended(self, one: Ended) -> None:
        self.all.append(one)


def with_log(tmp_path: Path, do: str = "") -> list[TrialSpec]:
    return [replace(one, model_args={"log": str(tmp_path / "log"), "do": do}) for one in SPECS]


def ran(tmp_path: Path) -> list[int]:
    return [int(line) for line in (tmp_path / "log").read_text().split()]


def run(specs: list[TrialSpec], store: Store, watch: Seen | None = None) -> dict[str, Ended]:
    with open_engine("serial") as engine:
        return Runner(engine, store, watch=watch, work=quick).run(specs)


@pytest.mark.parametrize("engine", ["serial", "processes"])
def test_every_trial_ends_once(engine: str) -> None:
    seen = Seen()
    with Store(None) as store, open_engine(engine) as opened:
        found = Runner(opened, store, watch=seen, work=quick).run([*SPECS, SPECS[0]])
        assert len(store) == 6
    assert list(found) == [one.key for one in SPECS]
    assert [one.result.area for one in found.values() if one.result] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert sorted(one.spec.seed for one in seen.all) == [0, 1, 2, 3, 4, 5]


def test_what_the_store_has_is_not_run_again(tmp_path: Path) -> None:
    specs = with_log(tmp_path)
    with Store(tmp_path / "study.db") as store:
        run(specs[:4], store)
    with Store(tmp_path / "study.db") as store:
        found = run(specs, store)
    assert sorted(ran(tmp_path)) == [0, 1, 2, 3, 4, 5]
    assert [one.kept for one in found.values()] == [True] * 4 + [False] * 2


def test_a_failure_is_told_noted_and_tried_again(tmp_path: Path) -> None:
    specs = with_log(tmp_path, "fail")
    with Store(None) as store:
        found = run(specs, store)
        bad = found[specs[3].key]
        assert bad.result is None
        assert bad.failure is not None
        assert "three" in bad.failure.message
        assert list(store.failures()) == [specs[3].key]
        assert len(store) == 5
        run(specs, store)
    assert ran(tmp_path).count(3) == 2


def test_an_interrupt_keeps_what_was_finished(tmp_path: Path) -> None:
    with Store(tmp_path / "study.db") as store, pytest.raises(KeyboardInterrupt):
        run(with_log(tmp_path, "interrupt"), store)
    with Store(tmp_path / "study.db") as store:
        assert len(store) == 3


def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(tmp_path: Path) -> None:
    specs = with_log(tmp_path)
    with Store(tmp_path / "study.db") as store:
        run(specs[:2], store)
        pages = store._base.execute("PRAGMA page_count").fetchone()[0]
        store._base.execute(f"PRAGMA max_page_count = {pages}")
        many = [replace(one, seed=seed) for one in specs[:1] for seed in range(100)]
        with pytest.raises(StoreError, match="full"):
            run(many, store)
    with Store(tmp_path / "study.db") as store:
        assert len(store) == len(set(ran(tmp_path))) - 1
