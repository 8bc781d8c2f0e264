from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.methods.test_method_contract import MINE
from tests.plan.nets import Small, TinyGPT, pictures, refused, same, state_of, three_parts, token_ids

from initium import Plan, Rule, fill_, plan
from initium.errors import InitiumError, UnknownNameError, UsageError
from initium.plan.plan_json import PLAN_FORMAT

MADE = plan(
    Small(), pictures(), rules=[Rule(where="3.weight", method="sparse"), Rule(where="1.bias", method="keep")]
)
TEXT = MADE.to_json()


def test_round_trip() -> None:
    assert Plan.from_json(TEXT) == MADE
    assert Plan.from_json(TEXT).to_json() == TEXT


def test_a_plan_that_was_read_writes_the_same_bits() -> None:
    left, right = Small(), Small()
    right.load_state_dict(left.state_dict())
    MADE.apply(left, seed=4)
    Plan.from_json(TEXT).apply(right, seed=4)
    assert same(state_of(left), state_of(right))


@pytest.mark.parametrize(
    "policy",
    [
        "auto",
        "shipped",
        "he_normal:mode=fan_out",
        "orthogonal",
        "truncated_normal",
        "kraehenbuehl",
        "weight_norm_data",
    ],
)
def test_round_trip_of_every_policy(policy: str) -> None:
    made = plan(TinyGPT(), token_ids(), policy=policy)
    assert Plan.from_json(made.to_json()) == made


def test_the_mark_comes_first() -> None:
    assert json.loads(TEXT)["format"] == PLAN_FORMAT
    assert TEXT.startswith('{\n "format"')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "3",
        "[]",
        "{}",
        '"x"',
        '{"format": "initium.plan/2"}',
        "{",
        "[" * 100_000,
        TEXT[:-1],
        TEXT[:200],
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no plan") as caught:
        Plan.from_json(text)
    assert three_parts(caught.value)


def broken(path: tuple[str | int, ...], value: object) -> str:
    """The plan with one value in it replaced."""
    data = json.loads(TEXT)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(data)


def test_an_unknown_method_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        Plan.from_json(broken(("assignments", 0, "method"), "he_norml"))


@pytest.mark.parametrize(
    "name", ["os.system", "__import__('os').system('true')", "../../etc/passwd", "eval", ""]
)
def test_no_name_in_a_plan_is_ever_looked_up_outside_the_catalogue(name: str) -> None:
    with pytest.raises(UnknownNameError):
        Plan.from_json(broken(("assignments", 0, "method"), name))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("assignments", 0, "params"), {"nonsense": 1}),
        (("assignments", 0, "scale"), 0),
        (("assignments", 0, "scale"), float("nan")),
        (("assignments", 0, "scale"), float("inf")),
        (("assignments", 0, "scale"), True),
        (("assignments", 0, "target"), -1.0),
        (("assignments", 0, "layer"), {}),
        (("assignments", 0, "layer", "kind"), "banana"),
        (("assignments", 0, "layer", "shape"), [-1, 3, 3, 3]),
        (("assignments", 0, "layer", "shape"), [1] * 100),
        (("assignments", 0, "layer", "groups"), 0),
        (("assignments", 0, "layer", "out_axis"), 9),
        (("assignments", 0, "name"), None),
        (("assignments", 0, "name"), "1.weight"),
        (("seed",), "0"),
        (("before",), "low"),
        (("notes",), "a note"),
        (("extra",), 1),
        (("assignments",), {}),
        (("assignments",), [[]]),
    ],
)
def test_a_wrong_field_is_an_error(path: tuple[str | int, ...], value: object) -> None:
    with pytest.raises(InitiumError) as caught:
        Plan.from_json(broken(path, value))
    assert three_parts(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = [path] if path else []
    for step, value in inner:
        found += places(value, (*path, step))
    return found


PLACES = places(json.loads(TEXT))


@settings(max_examples=400)
@given(st.sampled_from(PLACES), JSON)
@example(("assignments", 0, "layer", "stride"), [0, 0])
@example(("assignments", 0, "layer", "input_size"), [10**30, 10**30])
@example(("assignments", 0, "layer", "shape"), [10**30, 10**30, 3, 3])
@example(("assignments", 0, "layer", "shape"), [0, 0, 0, 0])
@example(("assignments", 0, "layer", "groups"), 10**400)
@example(("assignments", 3, "params"), {"sparsity": 10**400})
def test_anything_anywhere_is_an_error_or_inert(path: tuple[str | int, ...], value: object) -> None:
    """Whatever stands in a plan: an error in three parts, or a plan that prints and round-trips or is refused."""
    text = broken(path, value)
    if refused(lambda: Plan.from_json(text)):
        return
    found = Plan.from_json(text)
    str(found)
    assert "<script" not in found._repr_html_()
    Plan.from_json(found.to_json())
    model = Small()
    before = state_of(model)
    if refused(lambda: found.apply(model)):
        assert same(before, state_of(model))


@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no plan"):
        Plan.from_json(text)


def test_hostile_names_are_inert_on_a_page() -> None:
    text = TEXT.replace("0.weight", "<script>alert(1)</script>")
    assert "<script>alert" not in Plan.from_json(text)._repr_html_()


def test_a_method_of_ones_own_is_named_in_the_text_and_brought_along_by_the_reader() -> None:
    made = plan(
        Small(), pictures(), policy="shipped", rules=[Rule(where="7.weight", method=MINE, share=0.25)]
    )
    text = made.to_json()
    assert json.loads(text)["assignments"][-2]["method"] == "half_he"
    assert "own" not in json.loads(text)["assignments"][-2]
    with pytest.raises(UnknownNameError, match="half_he"):
        Plan.from_json(text)
    read = Plan.from_json(text, methods=(MINE,))
    assert read == made
    assert read["7.weight"].own is MINE
    left, right = Small(), Small()
    right.load_state_dict(left.state_dict())
    made.apply(left, seed=4)
    read.apply(right, seed=4)
    assert same(state_of(left), state_of(right))
    fan_in = left[7].weight.shape[1]
    spread = 5 * (2 / left[7].weight.numel()) ** 0.5
    assert abs(float(left[7].weight.detach().var()) / (2 * 0.25 / fan_in) - 1) < spread


def test_a_method_of_ones_own_fills_a_meta_model() -> None:
    rules = [Rule(where="*.weight", method="keep"), Rule(where="*", method="zeros")]
    made = plan(Small(), pictures(), policy="shipped", rules=[Rule(where="7.weight", method=MINE), *rules])
    with torch.device("meta"):
        empty = Small()
    filled = made.materialize(empty, seed=4)
    expected = fill_(torch.empty_like(filled[7].weight), MINE, seed=4, name="7.weight")
    assert torch.equal(filled[7].weight, expected)
