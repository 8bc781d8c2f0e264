"""Hostile comparisons and outcomes of searches are errors of three parts, or inert."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.study.made import compared

from initium.errors import UsageError
from initium.study.contest.comparison import Comparison

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
