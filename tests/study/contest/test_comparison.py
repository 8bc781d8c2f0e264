"""The record of a comparison: what is in it, and that it survives being written down."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.study.made import compared, conducted, design, spread

from initium.study.contest.comparison import Comparison
from initium.study.contest.race import decide

MEANS = {"late": 1.5, "best": 0.5, "next": 0.6, "twin": 0.605}


def test_the_record_of_a_finished_study() -> None:
    found = compared(MEANS)
    assert found.finished
    assert found.winner == "best"
    assert found.ranking[0] == "best"
    assert found.ranking[-1] == "late"
    assert [one.name for one in found.standings] == list(found.ranking)
    assert (found.model, found.task, found.metric, found.steps) == (
        "mlp8-relu",
        "classification",
        "accuracy",
        40,
    )
    best = found["best"]
    assert best.lr == 3e-3
    assert [score.fresh for score in best.best] == [False] * 5 + [True] * 8
    assert best.mean("area") == pytest.approx(np.mean([s.area for s in best.best if s.fresh]))
    assert found["late"].stopped == 3
    assert found.seconds == pytest.approx(0.25 * sum(len(one.scores) for one in found.standings))


def test_the_decision_is_that_of_the_rule_on_the_scores() -> None:
    found = compared(MEANS)
    race = {one.name: one.losses(fresh=False) for one in found.standings}
    fresh = {one.name: one.losses(fresh=True) for one in found.standings}
    assert decide(race, fresh, margin=found.margin) == found.decision


@pytest.mark.parametrize("phases", [0, 1, 2, 4])
def test_a_study_under_way_has_a_ranking_and_no_winner(phases: int) -> None:
    found = Comparison.of(conducted(design(*MEANS), spread(MEANS), phases=phases))
    assert not found.finished
    assert found.winner is None
    assert len(found.ranking) == (4 if phases else 0)
    assert Comparison.from_json(found.to_json()) == found
    assert any("not finished" in one for one in found.sentences)


def test_an_init_that_failed_is_last_and_says_why() -> None:
    found = Comparison.of(conducted(design(*MEANS), spread(MEANS), failed="best"))
    assert found.standings[-1].name == "best"
    assert "best" not in found.ranking
    assert "out</b> of memory" in found["best"].failure
    assert any(one.startswith("best failed: ") for one in found.sentences)
    assert Comparison.from_json(found.to_json()) == found


def test_the_record_survives_json_also_with_differences_without_spread() -> None:
    for found in (compared(MEANS), compared({"a": 0.5, "b": 0.7}, sd=0.0), compared({"a": 0.5, "b": 4.5})):
        again = Comparison.from_json(found.to_json())
        assert again == found
        assert again.sentences == found.sentences
        assert "Infinity" not in found.to_json()


def test_the_record_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        compared(MEANS).model = "other"  # type: ignore[misc]


def test_a_finalist_that_may_do_better_at_another_rate_is_shown_with_it() -> None:
    """`b` is as good as `a` at a rate that screening did not tell from its own."""

    def loss(label: str, lr: float, seed: int) -> float:
        noise = float(np.random.default_rng([seed, *label.encode(), round(1e4 * lr)]).normal())
        unlucky = 0.05 if label == "b" and lr == 3e-3 and seed >= 5 else 0.0
        level = {("a", 3e-3): 0.5, ("a", 1e-3): 0.9, ("b", 3e-3): 0.5, ("b", 1e-3): 0.51}[label, lr]
        return level + unlucky + 0.005 * noise

    found = Comparison.of(conducted(design("a", "b"), loss))
    (pair,) = found.decision.pairs
    assert (found.winner, found.ranking, list(found["b"].elsewhere)) == (None, ("a", "b"), [1e-3])
    assert pair.difference.base == pytest.approx(np.mean(list(found["b"].elsewhere[1e-3].values())))
    assert any("b was also run on fresh seeds at the learning rate 0.001, " in one for one in found.sentences)
    race = {one.name: one.losses(fresh=False) for one in found.standings}
    fresh = {one.name: one.losses(fresh=True) for one in found.standings}
    elsewhere = {one.name: list(one.elsewhere.values()) for one in found.standings}
    assert decide(race, fresh, elsewhere) == found.decision
    assert Comparison.from_json(found.to_json()) == found
