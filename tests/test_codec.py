"""The codec by records of its own: what it writes is checked against plain `json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from initium import plain_data
from initium.codec import (
    FINITE,
    NULLS,
    PYTHON,
    WORDS,
    Form,
    MisfitError,
    Numbers,
    Stored,
    from_data,
    read_as,
    register,
    to_data,
)
from initium.errors import UsageError


@dataclass(frozen=True)
class Part:
    name: str
    sizes: tuple[int, ...]
    kind: Literal["a", "b"] = "a"
    weight: float | None = None


@dataclass(frozen=True)
class Whole(Stored):
    number: float
    parts: tuple[Part, ...] = ()
    named: Mapping[str, float] = field(default_factory=dict)
    flag: bool = False
    count: int = 0
    hidden: int = 7

    @property
    def twice(self) -> float:
        return 2 * self.number


def check_order(found: dict[str, Any]) -> None:
    if len(found.get("parts", ())) > found.get("count", 0) + 5:
        raise ValueError("more parts than counted")


register(
    Whole,
    Form(
        what="whole", mark="test.whole/1", remedy="write it again", numbers=WORDS,
        order=("count", "number", "parts", "named", "flag"), keys={"count": "n"}, brief=frozenset({"named"}),
        told={"twice": lambda one: one.twice}, readers={"count": lambda value: plain_data.whole(value, 0)},
        settle=check_order, fixed={"hidden": 9},
    ),
)  # fmt: skip
GOOD = {
    "format": "test.whole/1", "twice": 1.0, "n": 2, "number": 0.5,
    "parts": [{"name": "x", "sizes": [1, 2], "kind": "b", "weight": None}], "flag": True,
}  # fmt: skip
MADE = Whole(0.5, (Part("x", (1, 2), "b"),), flag=True, count=2, hidden=9)


def test_a_record_is_written_in_the_order_and_under_the_keys_of_its_form() -> None:
    assert MADE.to_json() == json.dumps(GOOD, indent=1)
    assert to_data(MADE) == GOOD


def test_it_is_read_back_with_what_is_not_written_and_without_what_is_told() -> None:
    assert Whole.from_json(json.dumps(GOOD)) == MADE
    assert Whole.from_json(json.dumps(GOOD | {"twice": "lies"})) == MADE
    assert from_data(Whole, GOOD) == MADE


def test_fields_with_a_default_may_be_missing() -> None:
    assert Whole.from_json('{"format": "test.whole/1", "number": 3}') == Whole(3.0, hidden=9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "test.whole/2"}, "no 'test.whole/1' mark"),
        ({"number": "1"}, r"\(number: '1' is no number\)"),
        ({"number": True}, r"\(number: True is no number\)"),
        ({"number": 10**400}, r"number: a whole number beyond"),
        ({"flag": 1}, r"flag: 1 is neither true nor false"),
        ({"n": -1}, r"n: -1 is no whole number of at least 0"),
        ({"n": 1.0}, r"n: 1.0 is no whole number"),
        ({"parts": {}}, r"parts: \{\} is no list"),
        ({"parts": [3]}, r"parts\[0\]: 3 is no object"),
        ({"parts": [GOOD["parts"][0], {"name": "y", "sizes": [1, "2"]}]}, r"parts\[1\]\.sizes\[1\]: '2' is no whole"),  # type: ignore[index]
        ({"parts": [{"sizes": []}]}, r"parts\[0\]: no 'name'"),
        ({"parts": [{"name": "x", "sizes": [], "kind": "c"}]}, r"parts\[0\]\.kind: 'c' is none of 'a', 'b'"),
        ({"parts": [{"name": "x", "sizes": [], "kind": ["a"]}]}, r"parts\[0\]\.kind: \['a'\] is none of"),
        ({"parts": [{"name": "x", "sizes": [], "code": "os"}]}, r"parts\[0\]: unknown fields \['code'\]"),
        ({"parts": 8 * [{"name": "x", "sizes": []}]}, "more parts than counted"),
        ({"named": {"a": "b"}}, r"named\.a: 'b' is no number"),
        ({"named": [1]}, r"named: \[1\] is no object"),
        ({"hidden": 3}, r"unknown fields \['hidden'\]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_that_names_the_place(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        Whole.from_json(json.dumps(GOOD | change))
    assert caught.value.seen.startswith("the text is no whole (")
    assert "test.whole/1" in caught.value.expected
    assert caught.value.remedy == "write it again"


@pytest.mark.parametrize("text", ["", "{", "null", "3", "[]", "{}", '"x"', "[" * 100_000])
def test_other_texts_are_errors_of_ours(text: str) -> None:
    with pytest.raises(UsageError, match="no whole"):
        Whole.from_json(text)


@pytest.mark.parametrize(
    ("numbers", "value", "written", "again"),
    [
        (WORDS, math.inf, "inf", math.inf),
        (WORDS, -math.inf, "-inf", -math.inf),
        (WORDS, math.nan, "nan", math.nan),
        (NULLS, math.inf, None, math.nan),
        (NULLS, math.nan, None, math.nan),
        (NULLS, 0.5, 0.5, 0.5),
        (PYTHON, math.inf, math.inf, math.inf),
        (FINITE, 0.5, 0.5, 0.5),
    ],
)
def test_numbers_that_json_does_not_have(
    numbers: Numbers, value: float, written: object, again: float
) -> None:
    assert numbers.write(value) == written
    assert repr(numbers.read(written)) == repr(again)


def test_a_finite_format_refuses_the_others() -> None:
    for value in (math.inf, math.nan):
        with pytest.raises(ValueError, match="not finite"):
            FINITE.read(value)


def test_values_are_read_by_type_hints_alone() -> None:
    assert read_as(Part, {"name": "x", "sizes": []}) == Part("x", ())
    assert read_as(tuple[float, ...], [1, 2.5]) == (1.0, 2.5)
    with pytest.raises(MisfitError, match=r"^sizes: 3 is no list$"):
        read_as(Part, {"name": "x", "sizes": 3})
