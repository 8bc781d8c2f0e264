"""Inits as plain data, and that a trial applies them as the library does."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

import initium
from initium.errors import InitiumError, UnknownNameError, UsageError, UsageTypeError
from initium.study.tasks import Probe, open_task
from initium.study.trial.inits import init_data, init_label, start

TASK = open_task("classification")


def fill_with_seed(model: nn.Module, probe: Probe, seed: int) -> None:
    """A user's own init."""
    with torch.no_grad():
        for one in model.parameters():
            one.fill_(seed * len(probe.inputs))


def weights(model: nn.Module) -> list[float]:
    return [float(one.detach().double().sum()) for one in model.parameters()]


def test_a_policy_starts_as_init_does() -> None:
    probe = TASK.probe(16)
    ours, theirs = TASK.make_model("mlp8-relu"), TASK.make_model("mlp8-relu")
    theirs.load_state_dict(ours.state_dict())
    chosen = start(ours, init_data("auto"), probe, seed=3)
    initium.init_(theirs, seed=3, **vars(probe))
    assert chosen in ("auto", "normal")
    assert weights(ours) == weights(theirs)


def test_rules_go_before_the_policy() -> None:
    rules = [{"where": "1.weight", "method": "constant", "params": {"value": 0.5}}]
    model = TASK.make_model("mlp8-relu")
    start(model, {"kind": "policy", "policy": "he_normal", "rules": rules}, TASK.probe(16), seed=0)
    assert model.get_parameter("1.weight").min().item() == 0.5
    assert model.get_parameter("3.weight").std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.1)


def test_a_plan_and_a_function_start_too() -> None:
    model = TASK.make_model("mlp8-relu")
    made = initium.plan(model, policy="xavier_normal", **vars(TASK.probe(16)))
    data = init_data(made)
    assert json.loads(json.dumps(data)) == data
    start(model, data, TASK.probe(16), seed=5)
    found = model.get_parameter("1.weight").clone()
    made.apply(model, seed=5)
    assert torch.equal(found, model.get_parameter("1.weight"))
    start(model, init_data(fill_with_seed), TASK.probe(16), seed=2)
    assert model.get_parameter("1.weight").max().item() == 32.0


@pytest.mark.parametrize(
    ("init", "label"),
    [
        ("lsuv", "lsuv"),
        (fill_with_seed, "fill_with_seed"),
        ({"kind": "plan", "plan": {"policy": "auto"}}, "plan auto"),
    ],
)
def test_labels_are_short(init: Any, label: str) -> None:
    assert init_label(init_data(init)) == label


@pytest.mark.parametrize(
    ("init", "error", "words"),
    [
        ("he_norml", UnknownNameError, "he_normal"),
        (lambda model, probe, seed: None, UsageError, "lambda"),
        (3, UsageTypeError, "an init is a int"),
    ],
)
def test_what_is_no_init_is_refused(init: Any, error: type[InitiumError], words: str) -> None:
    with pytest.raises(error, match=words):
        init_data(init)


def leave_nan(model: nn.Module, probe: Probe, seed: int) -> None:
    """A user's init that divides by zero."""
    with torch.no_grad():
        next(model.parameters())[0, 0] = torch.nan


def test_a_function_that_leaves_a_value_that_is_not_finite_is_told() -> None:
    with pytest.raises(UsageError, match=r"it left 1 of \d+ values of the parameter '1.weight'"):
        start(TASK.make_model("mlp4-relu"), init_data(leave_nan), TASK.probe(4), seed=0)
