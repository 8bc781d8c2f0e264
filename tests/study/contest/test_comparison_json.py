"""Hostile comparisons and outcomes of searches are errors of three parts, or inert."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.study.made import compared

import initium
from initium.errors import InitiumError, UsageError
from initium.study.contest.comparison import Comparison
from initium.study.search.search import Found
from initium.study.search.tuning import Tuning
from initium.study.tasks import open_task

SOUND = json.loads(compared({"a": 0.5, "b": 0.9}).to_json())


def broken(change: Callable[[dict[str, Any]], object], sound: dict[str, Any] = SOUND) -> str:
    data = copy.deepcopy(sound)
    change(data)
    return json.dumps(data)


def test_the_sound_one_is_read_and_its_sentences_are_made_anew() -> None:
    lying = broken(lambda d: d.update(sentences=["b wins"]))
    assert Comparison.from_json(lying).sentences[0].startswith("a wins")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="initium.plan/1"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("model"),
        lambda d: d.update(steps="many"),
        lambda d: d.update(steps=True),
        lambda d: d.update(margin=-1),
        lambda d: d.update(lrs={"a": 1}),
        lambda d: d.update(finished=1),
        lambda d: d.update(standings=3),
        lambda d: d["standings"][0].update(name=7),
        lambda d: d["standings"][0].update(more=7),
        lambda d: d["standings"][0].update(name="b"),
        lambda d: d["standings"][0].update(lr=-1.0),
        lambda d: d["standings"][0]["scores"][0].update(area="low"),
        lambda d: d["standings"][0]["scores"][0].update(area=10**400),
        lambda d: d["standings"][0]["scores"][0].pop("seed"),
        lambda d: d["standings"][0]["scores"][0].update(code="import os"),
        lambda d: d["standings"][0]["curve"]["mean"].pop(),
        lambda d: d["standings"][0]["curve"].update(more=[]),
        lambda d: d["decision"].update(winner="somebody else"),
        lambda d: d["decision"].update(ranking=["a", "b", "c"]),
        lambda d: d["decision"]["pairs"][0].update(relation="best"),
        lambda d: d["decision"]["pairs"][0].update(relation=["better"]),
        lambda d: d["decision"]["pairs"][0].update(first="c"),
        lambda d: d["decision"]["pairs"][0]["difference"].update(num=0),
        lambda d: d["decision"].update(num_fresh=-1),
    ],
)
def test_what_is_no_comparison_is_an_error(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(UsageError, match=r"(?s)no comparison.*expected.*what to do"):
        Comparison.from_json(broken(change))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format": "initium.comparison/1"}'])
def test_other_texts_are_errors(text: str) -> None:
    with pytest.raises(UsageError, match="no comparison"):
        Comparison.from_json(text)


def test_hostile_names_are_inert_wherever_they_are_shown() -> None:
    text = json.dumps(SOUND).replace('"a"', '"<script>alert(1)</script>\\u001b[31m"')
    found = Comparison.from_json(text)
    page = found._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in str(found) + page


def tuning() -> Tuning:
    """A search that found a better start."""
    free = {"lr": 1e-3, "base": "free", "method": "centred_orthogonal", "gain hidden": 4.0, "centring": 0.5}
    rule = {"where": "3.weight", "method": "centred_orthogonal", "params": {"gain": 4.0, "centring": 0.5}}
    inits: dict[str, Any] = {
        "auto": {"kind": "policy", "policy": "auto"},
        "shipped": {"kind": "policy", "policy": "shipped"},
        "found 1": {"kind": "policy", "policy": "shipped", "rules": [rule]},
    }
    found = (Found(free, inits["found 1"], 0.7, 0.5), Found({"lr": 1e-3, "base": "auto"}, inits["auto"], 0.9))
    task = open_task("classification")
    plan = initium.plan(task.make_model("mlp4-sigmoid"), policy="he_normal", **vars(task.probe(8)))
    comparison = compared({"found 1": 0.5, "auto": 0.9, "shipped": 1.4})
    return Tuning(plan, "found 1", inits, found, comparison, 150, 105, 12.5)


FOUND = json.loads(tuning().to_json())


def test_the_outcome_of_a_search_survives_and_is_shown_alike() -> None:
    made = tuning()  # its plan foretells from a run with weights that are random
    again = Tuning.from_json(made.to_json())
    assert again == made
    assert again.beat_baselines
    assert str(again) == str(made)
    assert again._repr_html_() == made._repr_html_()
    lying = broken(lambda d: d.update(outcome="shipped wins"), FOUND)
    assert Tuning.from_json(lying).sentence == made.sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="initium.comparison/1"),
        lambda d: d.update(extra=1),
        lambda d: d.pop("budget"),
        lambda d: d.update(trials=-1),
        lambda d: d.update(seconds="long"),
        lambda d: d.update(chosen="found 2"),
        lambda d: d.update(plan=None),
        lambda d: d["plan"]["assignments"][0].update(method="os.system"),
        lambda d: d["inits"].pop("auto"),
        lambda d: d["inits"].update(auto={"kind": "function", "function": "os:system"}),
        lambda d: d["inits"]["found 1"]["rules"][0].update(code="import os"),
        lambda d: d["inits"]["found 1"]["rules"][0].update(params={"gain": "4"}),
        lambda d: d["found"][0].update(init={"kind": "plan", "plan": {}}),
        lambda d: d["found"][0]["candidate"].pop("lr"),
        lambda d: d["found"][0]["candidate"].update({"gain hidden": "4"}),
        lambda d: d["found"][0]["candidate"].update(base=1),
        lambda d: d["found"][0].update(short=None),
        lambda d: d["comparison"].update(format="other"),
        lambda d: d["comparison"]["decision"].update(winner="nobody"),
    ],
)
def test_what_is_no_outcome_of_a_search_is_an_error(change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(InitiumError, match=r"(?s).*expected.*what to do"):
        Tuning.from_json(broken(change, FOUND))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": "initium.tuning/1"}'])
def test_texts_that_are_no_outcome_of_a_search(text: str) -> None:
    with pytest.raises(UsageError, match="no tuning"):
        Tuning.from_json(text)
