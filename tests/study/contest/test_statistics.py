"""The statistics of paired seeds against closed forms, duality and simulation."""

from __future__ import annotations

import builtins
import itertools
import math
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from initium.errors import MissingExtraError, UsageError
from initium.study.contest.statistics import (
    Difference,
    capped,
    holm,
    mean_ranks,
    paired,
    relation,
    seeds_needed,
)

RNG = np.random.default_rng(20251)


def t_value(a: np.ndarray, b: np.ndarray) -> float:
    change = a - b
    return float(change.mean() * math.sqrt(len(change)) / change.std(ddof=1))


@pytest.mark.parametrize("num", [2, 3, 5])
def test_p_is_that_of_the_closed_forms(num: int) -> None:
    a, b = RNG.normal(size=num), RNG.normal(size=num)
    t = abs(t_value(a, b))
    u = t / math.sqrt(num - 1 + t * t)  # the cumulative t distribution of 1, 2 and 4 degrees of freedom
    expected = {2: 1 - 2 / math.pi * math.atan(t), 3: 1 - u, 5: 1 - u * (1.5 - 0.5 * u * u)}[num]
    assert paired(a, b).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_ends_where_the_test_begins_to_reject(confidence: float) -> None:
    a, b = RNG.normal(size=7), RNG.normal(size=7)
    found = paired(a, b, confidence=confidence)
    for end in (found.low, found.high):
        assert paired(a - end, b).p == pytest.approx(1 - confidence, rel=1e-6)


def test_effect_is_the_mean_in_standard_deviations_and_changes_sign_with_the_order() -> None:
    a, b = RNG.normal(size=9), RNG.normal(size=9)
    one, two = paired(a, b), paired(b, a)
    assert one.effect == pytest.approx(t_value(a, b) / 3)
    assert (one.mean, one.low, one.high, one.p) == pytest.approx((-two.mean, -two.high, -two.low, two.p))
    assert one.num == 9
    assert one.base == pytest.approx(b.mean())
    assert one.shares[0] == pytest.approx(a.mean() / b.mean() - 1)


def test_p_and_interval_are_those_of_scipy() -> None:
    a, b = RNG.normal(size=11), RNG.normal(size=11)
    found, test = paired(a, b, confidence=0.9), stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.9)
    assert (found.p, found.low, found.high) == pytest.approx((test.pvalue, interval.low, interval.high))


def test_pairing_sees_what_the_spread_between_seeds_would_hide() -> None:
    seeds = RNG.normal(scale=10.0, size=8)
    found = paired(seeds + RNG.normal(scale=0.1, size=8), seeds + 1.0)
    assert found.p < 1e-4
    assert found.high < 0


@pytest.mark.parametrize(
    ("shift", "p", "effect"), [(0.0, 1.0, 0.0), (0.3, 0.0, math.inf), (-0.3, 0.0, -math.inf)]
)
def test_two_names_for_one_run_and_differences_without_spread_need_no_t(
    shift: float, p: float, effect: float
) -> None:
    losses = np.array([2.3, 1.9, 2.1, 0.7])
    found = paired(losses + shift, losses)
    assert (found.p, found.effect) == (p, effect)
    assert found.low == found.high == found.mean == pytest.approx(shift)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([1.0], [2.0]),
        ([1.0, 2.0], [1.0]),
        ([1.0, math.nan], [1.0, 2.0]),
        ([[1.0, 2.0]], [[1.0, 2.0]]),
        ([], []),
    ],
)
def test_losses_that_cannot_be_paired_are_refused(a: Any, b: Any) -> None:
    with pytest.raises(UsageError, match=r"what to do: run both inits on the same seeds"):
        paired(a, b)


def test_false_positives_of_the_paired_t_are_nominal() -> None:
    num = 2000
    hits = 0
    for _ in range(num):
        common = RNG.normal(size=5)
        hits += paired(common + RNG.normal(size=5), common + RNG.normal(size=5)).p < 0.05
    assert abs(hits / num - 0.05) < 4 * math.sqrt(0.05 * 0.95 / num)  # 4 standard errors


def test_diverged_runs_count_as_the_ceiling() -> None:
    found = capped([[0.5, math.nan, math.inf], [-math.inf, 7.0, 4.6]], 4.6)
    assert found.tolist() == [[0.5, 4.6, 4.6], [4.6, 4.6, 4.6]]


def closed_bonferroni(p_values: list[float]) -> list[float]:
    """The closed test that Holm's is the short form of: the largest Bonferroni p of all sets that hold the one."""
    places = range(len(p_values))
    sets = [one for size in range(1, len(p_values) + 1) for one in itertools.combinations(places, size)]
    return [max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in sets if i in s) for i in places]


@pytest.mark.parametrize("num", [1, 2, 3, 6])
def test_holm_is_the_closure_of_bonferroni(num: int) -> None:
    for _ in range(50):
        p_values = (RNG.random(num) ** 2).round(2).tolist()  # some equal
        assert holm(p_values) == pytest.approx(closed_bonferroni(p_values))


def test_holm_of_nothing() -> None:
    assert holm([]) == ()


@pytest.mark.parametrize(
    ("mean", "low", "high", "p", "expected"),
    [
        (-0.5, -0.7, -0.3, 0.001, "better"),
        (0.5, 0.3, 0.7, 0.001, "worse"),
        (-0.5, -0.7, -0.3, 0.06, "undecided"),  # not after correction
        (0.01, -0.05, 0.07, 0.9, "tie"),
        (-0.05, -0.06, -0.04, 0.001, "tie"),  # shown, and too small to matter
        (0.0, -0.2, 0.2, 1.0, "undecided"),
        (-0.08, -0.12, -0.04, 0.001, "better"),  # may be too small to matter, and may not
    ],
)
def test_relation(mean: float, low: float, high: float, p: float, expected: str) -> None:
    assert relation(Difference(8, mean, low, high, p, 1.0, 1.0), p=p, margin=0.1) == expected


def test_mean_ranks_share_ties_and_sum_to_the_same() -> None:
    losses = RNG.random((6, 5)).round(1)
    ranks = mean_ranks(losses)
    assert ranks == pytest.approx(stats.rankdata(losses, axis=0).mean(axis=1))
    assert sum(ranks) == pytest.approx(21)


@pytest.mark.parametrize("effect", [0.8, 1.5, 3.0])
def test_with_the_seeds_needed_four_of_five_studies_see_it(effect: float) -> None:
    num = seeds_needed(effect)
    assert num is not None

    def power(seeds: int) -> float:
        change = RNG.normal(loc=effect, size=(2000, seeds))
        return float(np.mean([paired(row, np.zeros(seeds)).p < 0.05 for row in change]))

    error = 4 * math.sqrt(0.8 * 0.2 / 2000)
    assert power(num) > 0.8 - error
    if num > 3:
        assert power(num - 1) < 0.8 + error


def test_seeds_needed_at_the_ends() -> None:
    assert seeds_needed(0.0) is None
    assert seeds_needed(math.inf) == 2
    assert seeds_needed(-1.0) == seeds_needed(1.0)


def test_without_scipy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "scipy.special", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'initium\[study\]'"):
        paired([1.0, 2.0], [1.5, 2.1])
