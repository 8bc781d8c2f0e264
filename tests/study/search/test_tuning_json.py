"""Hostile outcomes of searches are errors of three parts, or inert."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.study.made import compared

import initium
from initium.errors import InitiumError, UsageError
from initium.study.search.search import Found
from initium.study.search.tuning import Tuning
from initium.study.tasks import open_task


def tuning() -> Tuning:
    """A search that found a better start."""
    by_role = {
        "lr": 1e-3,
        "base": "gains by role",
        "method": "centred_orthogonal",
        "gain hidden": 4.0,
        "centring": 0.5,
    }
    rule = {"where": "3.weight", "method": "centred_orthogonal", "params": {"gain": 4.0, "centring": 0.5}}
    inits: dict[str, Any] = {
        "auto": {"kind": "policy", "policy": "auto"},
        "shipped": {"kind": "policy", "policy": "shipped"},
        "found 1": {"kind": "policy", "policy": "shipped", "rules": [rule]},
    }
    found = (
        Found(by_role, inits["found 1"], 0.7, 0.5),
        Found({"lr": 1e-3, "base": "auto"}, inits["auto"], 0.9),
    )
    task = open_task("classification")
    plan = initium.plan(task.make_model("mlp4-sigmoid"), policy="he_normal", **vars(task.probe(8)))
    comparison = compared({"found 1": 0.5, "auto": 0.9, "shipped": 1.4})
    return Tuning(plan, "found 1", inits, found, comparison, 150, 105, 12.5)


FOUND = json.loads(tuning().to_json())


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    data = copy.deepcopy(FOUND)
    change(data)
    return json.dumps(data)


def test_the_outcome_of_a_search_survives_and_is_shown_alike() -> None:
    made = tuning()  # its plan foretells from a run with weights that are random
    again = Tuning.from_json(made.to_json())
    assert again == made
    assert again.beat_baselines
    assert str(again) == str(made)
    assert again._repr_html_() == made._repr_html_()
    lying = broken(lambda d: d.update(outcome="shipped wins"))
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
        Tuning.from_json(broken(change))


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": "initium.tuning/1"}'])
def test_texts_that_are_no_outcome_of_a_search(text: str) -> None:
    with pytest.raises(UsageError, match="no tuning"):
        Tuning.from_json(text)
