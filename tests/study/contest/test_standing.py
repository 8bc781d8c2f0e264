from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.study.made import compared, result

from initium.study.contest.standing import mean_curve

MEANS = {"late": 1.5, "best": 0.5, "next": 0.6, "twin": 0.605}


def test_rates_are_compared_on_the_seeds_that_all_were_tried_on() -> None:
    rates = compared(MEANS)["best"].by_rate()
    assert {lr: len(areas) for lr, areas in rates.items()} == {1e-3: 2, 3e-3: 2}
    assert np.mean(rates[1e-3]) - np.mean(rates[3e-3]) == pytest.approx(0.05)


def test_a_mean_curve_is_the_mean_of_equal_stretches() -> None:
    losses = np.random.default_rng(0).random((3, 40))
    runs = [dataclasses.replace(result(0.5), losses=tuple(row)) for row in losses]
    curve = mean_curve(runs, 40, most=8)
    assert curve.steps == tuple(2.5 + 5 * i for i in range(8))
    by_seed = losses.reshape(3, 8, 5).mean(axis=2)
    assert curve.mean == pytest.approx(by_seed.mean(axis=0))
    assert curve.low == pytest.approx(by_seed.min(axis=0))
    assert curve.high == pytest.approx(by_seed.max(axis=0))


def test_a_run_that_diverged_counts_until_then_and_under_the_ceiling() -> None:
    short = dataclasses.replace(result(4.5, diverged=True), losses=(2.0,) * 9 + (1e9,))
    curve = mean_curve([result(0.5), short], 40, most=40)
    assert len(curve.steps) == 40
    assert max(curve.high) == 4.6
    assert curve.low[20:] == curve.high[20:]
    assert mean_curve([], 40).steps == ()
