"""The decision rule: what it stops, whom it confirms, and how often it declares a winner among equals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.study.races import CASES, Draw, claims, noise, studies, study, wins

from initium.study.contest.race import (
    CONFIRM,
    decide,
    finalists,
    leader_of,
    likely_rates,
    losers,
    shared,
    standings,
)
from initium.study.contest.race import claims as told_apart
from initium.study.contest.statistics import holm, paired

STUDIES = 600
BOUND = 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)  # 5 % and 3 standard errors of a share of so many studies
KINDS = ["normal", "heavy", "failures"]


def equals(seed: int, kind: str, correlation: float, num: int, worse: tuple[float, ...] = ()) -> Draw:
    """Inits of which the first are equal, and the last are worse by so many standard deviations of a seed."""
    rng = np.random.default_rng(seed)
    shifts = 0.1 * np.array([0.0] * (num - len(worse)) + list(worse))
    return lambda _: {f"m{i}": float(x) for i, x in enumerate(noise(rng, kind, correlation, num) + shifts)}


def flat(values: list[float], first: int = 0) -> dict[int, float]:
    return dict(enumerate(values, first))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("num", "correlation"), [(2, 0.0), (2, 0.8), (5, 0.5)])
def test_under_a_true_null_at_most_one_study_in_twenty_has_a_winner(
    kind: str, num: int, correlation: float
) -> None:
    draw = equals(num, kind, correlation, num)
    found = [study(draw) for _ in range(STUDIES)]
    assert sum(one.winner is not None for one in found) / STUDIES <= BOUND
    claims = [any(p.fresh and p.relation in ("better", "worse") for p in one.pairs) for one in found]
    assert sum(claims) / STUDIES <= BOUND


FEW = 300


@pytest.mark.parametrize("case", CASES)
def test_equals_are_told_apart_in_at_most_one_study_in_twenty_wherever_their_rates_lie(case: str) -> None:
    """Resampled from 120 real trials; `python -m tests.study.races` measures the same in more studies."""
    assert claims(studies(case, FEW)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / FEW)  # 3 standard errors


def test_four_equals_whose_rates_are_nearly_tied_are_not_told_apart() -> None:
    assert claims(studies("three rates 1 apart, own noise", 150, names=4)) <= 0.05 + 3 * math.sqrt(
        0.05 * 0.95 / 150
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_shares_of_the_manual(case: str) -> None:
    num = 2000
    assert claims(studies(case, num)) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / num)
    found = studies(case, num, worse=3.0)
    assert wins(found) >= 0.65
    assert wins(found, "m1") == 0.0


@pytest.mark.parametrize("case", ["rates well apart", "two rates .5 apart"])
def test_a_method_that_is_worse_by_three_standard_deviations_is_found_to_be_so(case: str) -> None:
    assert wins(studies(case, 50, worse=3.0)) >= 0.9


def test_the_race_alone_would_declare_too_many() -> None:
    draw = equals(2, "normal", 0.5, 2)
    last_standing = 0
    for _ in range(STUDIES):
        losses: dict[str, dict[int, float]] = {"m0": {}, "m1": {}}
        for seed in range(5):
            for name, loss in draw(seed).items():
                losses[name][seed] = loss
            if losers(losses):
                last_standing += 1
                break
    assert last_standing / STUDIES > BOUND


@pytest.mark.parametrize("kind", ["normal", "heavy"])
@pytest.mark.parametrize("worse", [1.0, 3.0])
def test_two_equals_above_worse_ones_share_the_first_place(kind: str, worse: float) -> None:
    draw = equals(4, kind, 0.5, 4, (worse, worse))
    found = [study(draw) for _ in range(STUDIES)]
    assert sum(one.winner in ("m0", "m1") for one in found) / STUDIES <= BOUND


def test_an_init_that_is_better_by_two_standard_deviations_wins() -> None:
    draw = equals(5, "normal", 0.5, 4, (2.0, 2.0, 2.0))
    found = [study(draw).winner for _ in range(200)]
    assert found.count("m0") > 180
    assert not set(found) - {"m0", None}


def test_nobody_is_stopped_before_the_third_seed() -> None:
    losses = {"a": flat([1.0, 1.1]), "b": flat([2.3, 2.4])}
    assert losers(losses) == ()
    assert losers({"a": flat([1.0, 1.1, 1.0]), "b": flat([2.3, 2.4, 2.35])}) == ("b",)


def test_stopping_follows_the_paired_test() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        a, b = rng.normal(size=4), rng.normal(loc=0.8, size=4)
        better, worse = (a, b) if a.mean() < b.mean() else (b, a)
        names = losers({"better": flat(better.tolist()), "worse": flat(worse.tolist())})
        assert names == (("worse",) if paired(worse, better).p < 0.1 else ())


def test_dead_runs_without_spread_are_stopped_and_twins_are_not() -> None:
    losses = {"a": flat([0.5, 0.6, 0.55]), "dead": flat([4.6] * 3), "twin": flat([0.5, 0.6, 0.55])}
    assert losers(losses) == ("dead",)


def test_the_leader_is_chosen_among_those_that_ran_longest() -> None:
    losses = {"short": flat([0.1, 0.1, 0.1]), "a": flat([0.5] * 5), "b": flat([0.4] * 5)}
    assert leader_of(losses) == "b"
    assert standings(losses) == ("short", "b", "a")


def test_seeds_that_only_some_ran_do_not_move_the_standings() -> None:
    losses = {"a": flat([1.0, 2.0, 9.0]), "b": flat([1.5, 2.5])}
    assert standings(losses) == ("a", "b")


def test_finalists_are_at_least_two_at_most_four_and_a_prefix_of_the_standings() -> None:
    losses = {name: flat([float(i)] * 3) for i, name in enumerate("abcdef")}
    assert finalists(losses, "bcdef") == ("a", "b")
    assert finalists(losses, "ef") == ("a", "b", "c", "d")
    assert finalists(losses, "bdef") == ("a", "b", "c")
    assert finalists({"a": flat([1.0])}) == ("a",)
    assert finalists({}) == ()
    assert finalists({**losses, "failed": {}}, "cdef") == ("a", "b")


def test_before_fresh_seeds_there_is_a_ranking_and_no_winner() -> None:
    race = {"a": flat([1.0, 1.1, 1.0]), "b": flat([2.0, 2.3, 2.1]), "failed": {}}
    for fresh in ({}, {"a": {}, "b": {}}, {"a": flat([1.0], 3), "b": flat([2.0], 3)}):
        found = decide(race, fresh)
        assert (found.ranking, found.winner, found.best, found.num_fresh) == (("a", "b"), None, (), 0)
        assert [(p.first, p.second, p.relation, p.fresh) for p in found.pairs] == [
            ("a", "b", "better", False)
        ]
    assert decide({}, {}).ranking == ()


def test_fresh_seeds_overrule_the_race() -> None:
    race = {"a": flat([1.0, 1.0, 1.1]), "b": flat([1.2, 1.3, 1.2]), "c": flat([3.0, 3.1, 3.0])}
    rng = np.random.default_rng(1)
    low, high = rng.normal(1.0, 0.01, CONFIRM), rng.normal(1.5, 0.01, CONFIRM)
    found = decide(race, {"a": flat(high.tolist(), 3), "b": flat(low.tolist(), 3)})
    assert (found.winner, found.ranking, found.best) == ("b", ("b", "a", "c"), ("b",))
    assert found.confirmed
    assert [(p.first, p.second, p.fresh) for p in found.pairs] == [
        ("b", "a", True),
        ("b", "c", False),
        ("a", "c", False),
    ]


def test_pairs_of_finalists_are_corrected_together() -> None:
    rng = np.random.default_rng(2)
    fresh = {name: flat(rng.normal(1.0 + 0.1 * i, 0.1, CONFIRM).tolist()) for i, name in enumerate("abc")}
    found = decide(fresh, fresh)
    raw = [pair.difference.p for pair in found.pairs]
    assert len(raw) == 3
    assert [pair.p for pair in found.pairs] == list(holm(raw))


def test_those_that_were_not_confirmed_are_compared_pair_by_pair_on_the_seeds_they_share() -> None:
    """Two equals and a worse one, stopped after 3 or 4 seeds: the winner's evidence is as without them."""
    rng = np.random.default_rng(6)
    top = {name: flat(rng.normal(0.5 + i, 0.05, 5).tolist()) for i, name in enumerate("ab")}
    rest = {"c": flat([2.0, 2.1, 2.2]), "d": flat([2.1, 2.0, 2.3, 2.2]), "e": flat([9.0, 9.12, 9.17])}
    fresh = {name: flat(rng.normal(0.5 + i, 0.05, CONFIRM).tolist(), 5) for i, name in enumerate("ab")}
    found = decide({**top, **rest}, fresh)
    assert (found.winner, found.others) == ("a", ("c", "d", "e"))
    assert [pair for pair in found.pairs if pair.fresh] == list(decide(top, fresh).pairs)
    steps = [("b", "c"), ("c", "d"), ("c", "e"), ("d", "e")]
    pairs = [found.between(*names) for names in steps]
    raw = [paired(*shared({**top, **rest}[one], rest[other])).p for one, other in steps]
    assert [pair.p for pair in pairs if pair] == pytest.approx(list(holm(raw)))
    assert [pair.relation for pair in pairs if pair] == ["better", "undecided", "better", "better"]
    assert [pair.difference.num for pair in pairs if pair] == [3, 3, 3, 3]
    assert found.between("e", "d") is found.between("d", "e")
    assert found.between("a", "nobody") is None
    assert found.neighbours == (found.between("a", "b"), pairs[0], pairs[1], pairs[3])


def test_a_difference_too_small_to_matter_is_a_tie_and_twins_have_no_winner() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(1.0, 0.1, CONFIRM)
    near = {"a": flat(common.tolist()), "b": flat((common + rng.normal(0.005, 0.001, CONFIRM)).tolist())}
    found = decide(near, near)
    assert (found.winner, found.best, found.pairs[0].relation) == (None, ("a", "b"), "tie")
    assert found.pairs[0].p < 1e-4
    assert decide(near, near, margin=0.001).winner == "a"
    same = {"a": flat(common.tolist()), "b": flat(common.tolist())}
    assert decide(same, same).pairs[0].relation == "tie"


def test_only_fresh_seeds_that_all_finalists_ran_count() -> None:
    fresh = {"a": flat([1.0, 1.1, 1.0, 0.2]), "b": flat([2.0, 2.1, 2.2])}
    assert decide(fresh, fresh).num_fresh == 3
    assert not decide(fresh, fresh).confirmed


def test_a_finalist_is_beaten_only_if_it_is_so_at_every_rate_that_it_was_run_at() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(1.0, 0.02, CONFIRM)

    def above(shift: float) -> dict[int, float]:
        return flat((base + shift + rng.normal(0.0, 0.02, CONFIRM)).tolist(), 5)

    fresh = {"a": above(0.0), "b": above(0.3)}
    assert decide(fresh, fresh).winner == "a"
    assert decide(fresh, fresh, {"b": [above(0.2), above(0.5)]}).winner == "a"
    as_good, better = above(0.0), above(-0.3)
    for rival in (as_good, better):
        found = decide(fresh, fresh, {"b": [above(0.2), rival]})
        (pair,) = found.pairs
        assert (found.winner, found.ranking, found.best) == (None, ("a", "b"), ("a", "b"))
        assert pair.difference == paired(*shared(fresh["a"], rival))
    assert (pair.p, pair.relation) == (
        1.0,
        "undecided",
    )  # what was chosen on these seeds is not claimed either
    assert decide(fresh, fresh, {"a": [above(-0.5)]}).pairs == decide(fresh, fresh).pairs


def test_the_p_value_of_a_claim_is_the_largest_of_its_rates() -> None:
    rng = np.random.default_rng(8)
    for _ in range(50):
        rows = [flat(rng.normal(1 + 0.1 * i, 0.1, CONFIRM).tolist()) for i in range(4)]
        found = decide({}, {"a": rows[0], "b": rows[1]}, {"a": rows[2:], "b": rows[2:]}).pairs[0]
        one, *others = ("a", "b") if found.first == "a" else ("b", "a")
        tests = [
            paired(*shared({"a": rows[0], "b": rows[1]}[one], row))
            for row in ({"a": rows[0], "b": rows[1]}[others[0]], *rows[2:])
        ]
        assert found.p == pytest.approx(max(test.p if test.mean < 0 else 1.0 for test in tests))


def test_rates_that_two_seeds_tell_apart_are_not_likely_ones() -> None:
    screened = {
        1e-4: flat([1.5, 1.6]),
        1e-3: flat([1.0, 1.1]),
        1e-2: flat([1.02, 1.09]),
        1e-1: flat([4.6, 4.6]),
    }
    assert likely_rates(screened) == (1e-3, 1e-2)
    assert likely_rates({3e-3: flat([1.0, 1.0]), 1e-3: flat([1.0, 1.0])}) == (1e-3, 3e-3)
    assert likely_rates({1e-3: flat([1.0, 2.0])}) == (1e-3,)


def test_pairs_that_are_told_apart_are_named_better_first() -> None:
    fresh = {
        "a": flat([1.0, 1.1, 1.0]),
        "b": flat([2.0, 2.1, 2.1]),
        "twin": flat([1.0, 1.1, 1.0]),
    }
    assert told_apart(fresh) == (("a", "b"), ("twin", "b"))


def test_who_is_better_than_the_leader_on_the_seeds_they_share_goes_on() -> None:
    """The leader is the best of those that ran longest; one that ran less may still be ahead of it."""
    leader = flat([1.00, 1.01, 0.99, 1.00, 1.01])
    ahead = flat([0.50, 0.52, 0.49, 0.51])
    assert leader_of({"a": leader, "b": ahead}) == "a"
    assert paired(*shared(ahead, leader)).p < 1e-4
    assert losers({"a": leader, "b": ahead}) == ()
    assert losers({"a": leader, "b": flat([1.50, 1.52, 1.49, 1.51])}) == ("b",)


def test_a_winner_has_beaten_every_finalist() -> None:
    """Being the only one that nobody has beaten is not enough: c is beaten by b, and met a on two seeds only."""
    small = [0.01, -0.01, 0.02, -0.02, 0.0, 0.01, -0.02, 0.01]
    fresh = {
        "a": flat([1.0 + x for x in small], 5),
        "b": flat([1.2 - x for x in small + small], 5),
        "c": flat([1.4, 1.5], 5) | flat([1.4 + x for x in small], 13),
    }
    found = decide({}, fresh)
    assert found.finalists == ("a", "b", "c")
    relations = {(one.first, one.second): one.relation for one in found.pairs}
    assert relations == {("a", "b"): "better", ("a", "c"): "undecided", ("b", "c"): "better"}
    assert found.best == ("a",)
    assert found.winner is None
    fresh["c"] |= flat([1.4 + x for x in small], 5)
    assert decide({}, fresh).winner == "a"


@pytest.mark.parametrize("swapped", [False, True])
def test_the_margin_is_a_share_of_the_better_of_two_losses(swapped: bool) -> None:
    """Two losses that are 2.02 % of the better one apart are no tie at 2 %, whichever is named first."""
    one = flat([1.0, 1.0 + 1e-6, 1.0 - 1e-6, 1.0, 1.0, 1.0, 1.0, 1.0], 5)
    other = {seed: loss * 1.0202 for seed, loss in one.items()}
    fresh = {"b": other, "a": one} if swapped else {"a": one, "b": other}
    (pair,) = decide({}, fresh, margin=0.02).pairs
    assert pair.relation == "better"
    (pair,) = decide({}, fresh, margin=0.0205).pairs
    assert pair.relation == "tie"
