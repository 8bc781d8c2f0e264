"""The identity of a trial: what changes its key and what does not, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from initium.errors import UnknownNameError, UsageError, UsageTypeError
from initium.study.trial.spec import TrialSpec

AUTO = {"kind": "policy", "policy": "auto"}
SPEC = TrialSpec("mlp8-relu", AUTO, {"kind": "classification"})
CHANGES: dict[str, Any] = {
    "model": "mlp9-relu",
    "init": {"kind": "policy", "policy": "lsuv"},
    "task": {"kind": "detection"},
    "optimizer": "sgd",
    "lr": 2e-3,
    "seed": 1,
    "steps": 10,
    "batch_size": 8,
    "model_args": {"depth": 3},
    "threads": 2,
    "fingerprint": "other",
}


def test_a_spec_survives_json() -> None:
    text = json.dumps(SPEC.to_data())
    again = TrialSpec.from_data(json.loads(text))
    assert again == SPEC
    assert again.key == SPEC.key


@pytest.mark.parametrize("name", CHANGES)
def test_every_field_is_part_of_the_key(name: str) -> None:
    assert CHANGES.keys() == SPEC.to_data().keys()
    assert replace(SPEC, **{name: CHANGES[name]}).key != SPEC.key


def test_the_order_of_keys_and_the_type_of_lr_do_not_count() -> None:
    one = replace(SPEC, task={"kind": "detection", "size": 8}, lr=1)
    other = replace(SPEC, task={"size": 8, "kind": "detection"}, lr=1.0)
    assert one.key == other.key


def test_the_key_is_kept_across_versions() -> None:
    """A store of last year must be found again: this value may change only with the fields."""
    assert SPEC.key == "64face919608d53ea55ef551f85377e6"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"optimizer": "adam"}, UnknownNameError, "adamw"),
        ({"init": {"kind": "import"}}, UnknownNameError, "kind of init"),
        ({"lr": 0.0}, UsageError, "lr is 0.0"),
        ({"lr": float("nan")}, UsageError, "lr is nan"),
        ({"steps": 0}, UsageError, "at least 1"),
        ({"seed": True}, UsageTypeError, "whole number"),
        ({"batch_size": 1.5}, UsageTypeError, "batch_size"),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        replace(SPEC, **change)


@pytest.mark.parametrize("data", [{}, {"model": "a", "init": AUTO}, SPEC.to_data() | {"epochs": 3}])
def test_missing_and_unknown_fields_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="a trial with the fields"):
        TrialSpec.from_data(data)


def test_people_see_with_which_arguments_a_model_is_made() -> None:
    spec = replace(SPEC, model="timm:create_model", model_args={"model_name": "vit", "num_classes": 3})
    assert spec.model_text == "timm:create_model(model_name=vit, num_classes=3)"
    assert SPEC.model_text == "mlp8-relu"
