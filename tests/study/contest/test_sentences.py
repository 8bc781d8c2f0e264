"""The numbers in the sentences of a comparison, against scipy."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.study.made import compared, conducted, design, spread

from initium.study.contest.comparison import Comparison
from initium.study.contest.race import Decision, Pair, decide
from initium.study.contest.sentences import evidence, gap, headline, listed, sentences, state, tied_groups
from initium.study.contest.statistics import paired

MEANS = {"a": 0.6, "b": 1.0}
FRESH, RACE = range(5, 13), range(5)


def numbers(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


def losses(label: str, seeds: range, sd: float = 0.1) -> np.ndarray:
    loss = spread(MEANS, sd)
    return np.array([loss(label, 3e-3, seed) for seed in seeds])


def test_the_headline_has_scipys_interval_p_value_and_effect() -> None:
    """Shares of the second's mean loss; p is that of the one-sided test doubled, d the mean over the deviation."""
    found = compared(MEANS, sd=0.1)
    assert found.winner == "a"
    text = headline(found)
    change, base = losses("a", FRESH) - losses("b", FRESH), losses("b", FRESH).mean()
    test = stats.ttest_1samp(change, 0)
    low, high = test.confidence_interval(0.95)
    told = numbers(text.partition(" wins: its loss is ")[2])
    percent = [-100 * value / base for value in (change.mean(), high, low)]
    assert told[:3] == pytest.approx(percent, abs=0.51)
    assert told[3] == 8
    assert told[4] == pytest.approx(test.pvalue, rel=0.06)
    assert told[5] == pytest.approx(-change.mean() / change.std(ddof=1), rel=0.06)


def pair(first: list[float], second: list[float], relation: str = "better", *, fresh: bool = True) -> Pair:
    difference = paired(first, second)
    return Pair("x", "y", difference, difference.p, relation, fresh)  # type: ignore[arg-type]


def test_a_gap_is_told_from_the_side_that_is_lower() -> None:
    """Means 1 and 2, interval of the difference -1 +- t .1 / sqrt 3 with t = 4.303 of two degrees of freedom."""
    below, above = pair([0.9, 1.0, 1.1], [2.0, 2.0, 2.0]), pair([2.0, 2.0, 2.0], [0.9, 1.0, 1.1])
    half = 100 * 4.3027 * 0.1 / math.sqrt(3)
    text = gap(below)
    assert numbers(text) == pytest.approx([50, 50 - half / 2, 50 + half / 2], abs=0.51)
    assert "below" in text
    text = gap(above)
    assert numbers(text) == pytest.approx([100, 100 - half, 100 + half], abs=0.51)
    assert "above" in text


def test_small_shares_have_a_digit() -> None:
    assert numbers(gap(pair([1.0, 1.01, 1.02], [1.05, 1.06, 1.07])))[0] == pytest.approx(4.7, abs=0.01)


def test_evidence_counts_the_seeds_and_says_which() -> None:
    fresh, race = evidence(pair([1, 2, 3], [2, 3, 5])), evidence(pair([1, 2, 3], [2, 3, 5], fresh=False))
    assert numbers(fresh)[0] == numbers(race)[0] == 3
    assert "fresh" in fresh
    assert "race" in race
    assert numbers(fresh)[1] == pytest.approx(stats.ttest_rel([1, 2, 3], [2, 3, 5]).pvalue, rel=0.06)
    assert numbers(fresh)[2] == pytest.approx((4 / 3) / math.sqrt(1 / 3), rel=0.06)


def test_states_differ_by_relation_and_seeds() -> None:
    found = compared(MEANS)
    told = [
        state(found, pair([1, 2, 3], [2, 3, 5], relation, fresh=fresh))
        for relation, fresh in (("tie", True), ("undecided", True), ("better", True), ("better", False))
    ]
    assert len(set(told)) == 4
    assert numbers(told[0]) == [100 * found.margin]


def test_seeds_that_would_be_needed_have_the_power_of_the_paired_t_test() -> None:
    found = compared({"a": 0.5, "b": 0.53}, sd=0.05)
    told = next(one for one in sentences(found) if "would need" in one)
    num = int(numbers(told.partition("about ")[2])[0])
    effect = found.decision.neighbours[0].difference.effect
    power = {
        n: 1 - stats.nct.cdf(stats.t.ppf(0.975, n - 1), n - 1, abs(effect) * math.sqrt(n))
        for n in (num - 1, num)
    }
    assert power[num - 1] < 0.8 <= power[num]


def test_names_are_listed() -> None:
    assert listed(("a",)) == "a"
    assert listed(("a", "b")) == "a and b"
    assert listed(("a", "b", "c")) == "a, b and c"


@pytest.mark.parametrize(
    ("means", "groups"),
    [
        ({"a": 1.0, "b": 2.0, "c": 2.0, "d": 3.0}, [("b", "c")]),
        ({"a": 1.0, "b": 2.0, "c": 2.0, "d": 2.0}, [("b", "c", "d")]),
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, []),
        ({"a": 1.0, "b": 2.0, "c": 2.0, "d": 3.0, "e": 3.0}, [("b", "c"), ("d", "e")]),
    ],
)
def test_groups_of_ties(means, groups) -> None:  # type: ignore[no-untyped-def]
    """Noise of .01 and 5 seeds: 1 apart is clear, equal means are not told apart."""
    rng = np.random.default_rng(3)
    race = {name: {seed: mean + 0.01 * rng.normal() for seed in range(5)} for name, mean in means.items()}
    found = tied_groups(decide(race, {}))
    assert [tuple(sorted(group)) for group in found] == groups


def test_an_empty_or_unconfirmed_study_says_so() -> None:
    nobody = Decision((), (), (), None, (), (), 0)
    assert "No init" in headline(replace(compared(MEANS), decision=nobody))
    raced = Comparison.of(conducted(design(*MEANS), spread(MEANS), phases=3))
    assert headline(raced).startswith("a leads")
    assert any("not finished" in one for one in sentences(raced))


def test_the_end_of_the_grid_and_runs_that_diverged_are_told() -> None:
    def loss(label: str, lr: float, seed: int) -> float:
        if label == "b" and seed == 2:
            return 5.0  # counted as diverged
        return MEANS[label] - 50 * lr + 0.001 * seed

    told = sentences(Comparison.of(conducted(design(*MEANS), loss)))
    assert any(one.startswith("a did best at the highest learning rate") and "higher" in one for one in told)
    assert any(one.startswith("b: 1 of ") and "diverged" in one for one in told)
