"""The public API as its users type it: `mypy --strict tests/typing/api.py` must find nothing."""

from __future__ import annotations

from typing import assert_type

import torch
from torch import Tensor, nn

import initium
from initium import Finding, HealthReport, InitiumError, Plan, Receipt, Record, Rule, UnhealthyModelError
from initium.record.graph.roles import Part


def mine(model: nn.Module, inputs: object) -> Tensor:
    """A way to call a model."""
    assert isinstance(inputs, Tensor)
    result: Tensor = model(inputs)
    return result


def loss(output: object) -> Tensor:
    """A way to make a scalar of its output."""
    assert isinstance(output, Tensor)
    return output.square().mean()


def grouped(part: Part) -> bool:
    """A predicate for a rule."""
    return part.layer.groups > 1


def look(model: nn.Module, x: Tensor) -> None:
    """Record and diagnose."""
    assert_type(initium.record(model, x, forward=mine, loss=loss, seed=1), Record)
    report = initium.diagnose(model, x, forward=mine, loss=loss, seed=1)
    assert_type(report, HealthReport)
    assert_type(report.healthy, bool)
    for finding in report.findings:
        assert_type(finding, Finding)
    initium.assert_healthy(model, (x, {"mask": x}), fail_on="warning")


def decide(model: nn.Module, x: Tensor) -> Plan:
    """Rules of all four kinds."""
    rules = [
        Rule(where="*.bias", method="zeros"),
        Rule(where=nn.Conv2d, method="he_normal", mode="fan_out"),
        Rule(where=grouped, method="keep"),
        Rule(where="head", method="constant", value=0.5),
    ]
    made = initium.plan(model, {"x": x}, policy="auto", rules=rules, forward=mine, loss=loss, seed=2)
    assert_type(made, Plan)
    assert_type(made["head.weight"].method, str)
    assert_type(Plan.from_json(made.to_json()), Plan)
    return made


def start_heads_and_sizes(model: nn.Module, x: Tensor, labels: Tensor, trained: nn.Module) -> None:
    """Recipes, class priors, and weights of another model."""
    rules = [initium.class_prior(labels), initium.class_prior(counts=[9, 1], loss="focal", where="head.bias")]
    assert_type(initium.plan(model, x, policy=f"recipe:{initium.recipes()[0].name}", rules=rules), Plan)
    done = initium.transfer_(model, trained, by=lambda name: name, keep=("head.*",))
    assert_type(done.taken[0].name, str)
    assert_type(initium.explain("recipe:rpn", lang="zh"), str)


def do(made: Plan, model: nn.Module, x: Tensor) -> None:
    """Apply, materialize, bind, save, and the short ways."""
    receipt = made.apply(model, seed=3)
    assert_type(receipt, Receipt)
    assert_type(receipt.written, tuple[str, ...])
    assert_type(made.materialize(model, seed=3, device="cpu", dtype=torch.bfloat16), nn.Module)
    assert_type(made.bind(model, seed=3), nn.Module)
    made.save("folder", seed=3, dtype=torch.float16, rank=0, world_size=2)
    assert_type(initium.init_(model, x, seed=3, policy="he_normal"), Receipt)
    assert_type(initium.repair_(model, x), Receipt)
    assert_type(initium.fill_(torch.empty(3, 3), "normal", std=0.1), Tensor)
    assert_type(initium.fill_(nn.Linear(3, 3), "normal", seed=1, name="fc"), nn.Linear)


def ask() -> None:
    """The catalogue and the theory."""
    for method in initium.methods():
        assert_type(method.name, str)
    assert_type(initium.explain("he_normal", lang="zh"), str)
    assert_type(initium.gain(torch.tanh, convention="second_moment"), float)


def fail(model: nn.Module, x: Tensor) -> str:
    """Errors have three parts."""
    try:
        initium.assert_healthy(model, x)
    except UnhealthyModelError as error:
        return error.seen
    except InitiumError as error:
        return error.expected + error.remedy
    return ""
