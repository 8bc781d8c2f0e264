"""What a study would cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.study.contest.test_compare import TINY

import initium
from initium.study.contest.cost import Batch, Cost
from initium.study.search.search import ASKED_AT_ONCE, LONG_SEEDS, SHORT, batches, sizes


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    cost = initium.compare("mlp4-relu", **{**TINY, "store": tmp_path / "study.db"}, dry_run=True)
    assert isinstance(cost, Cost)
    assert (cost.fewest, cost.most) == (12 + 3 + 6, 12 + 3 + 9 + 6)
    assert cost.step_seconds > 0
    assert "21 to 30 trials of 8 steps, at most 12 at a time" in str(cost)
    assert not (tmp_path / "study.db").exists()


def test_more_workers_than_a_batch_has_trials_do_not_help() -> None:
    some = (Batch(12, 10), Batch(4, 10), Batch(4, 20))
    cost = Cost(some, some, step_seconds=0.1, fixed_seconds=1.0, workers=1)
    assert cost.seconds(some) == pytest.approx(12 * 2 + 4 * 2 + 4 * 3)
    five, many = (replace(cost, workers=num).seconds(some) for num in (5, 1000))
    assert five == pytest.approx(3 * 2 + 2 + 3)
    assert many == pytest.approx(2 + 2 + 3)
    assert str(cost).startswith("20 to 20 trials of 10 to 20 steps, at most 12 at a time\n")
    assert "about 44.0 s to 44.0 s on 1 workers" in str(cost)


def test_a_search_is_short_trials_and_few_long_ones() -> None:
    found = batches(trials=50, steps=100)
    num_short, num_long = sizes(50)
    assert sum(one.num for one in found if one.steps == 100 // SHORT) == num_short
    assert max(one.num for one in found[:-1]) == ASKED_AT_ONCE
    assert found[-1] == Batch(num_long * LONG_SEEDS, 100)
    assert sum(one.num * one.steps for one in found) <= 50 * 100
