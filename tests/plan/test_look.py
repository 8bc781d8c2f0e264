from __future__ import annotations

import sys

import pytest
import torch
from tests.nets import mlp, noise, seeded
from tests.plan.nets import three_parts
from torch import nn

from initium import Rule, plan, record
from initium.errors import InitiumError, PlanMismatchError, UsageError, UsageTypeError
from initium.plan.look import look

X = noise(32, 16)


def net() -> nn.Module:
    with seeded():
        return mlp(2, 16, nn.ReLU)


@pytest.mark.parametrize("policy", ["he_normal", "shipped", "autoinit", "recipe:torch_default"])
def test_a_record_is_enough_where_the_model_is_not_run_again(policy: str) -> None:
    model = net()
    seen = record(model, X)
    wanted = plan(model, X, policy=policy)
    assert plan(seen, policy=policy) == wanted
    assert plan(model, seen, policy=policy) == wanted


@pytest.mark.parametrize("policy", ["auto", "lsuv", "metainit"])
def test_a_policy_that_runs_the_model_says_that_it_needs_model_and_inputs(policy: str) -> None:
    model = net()
    seen = record(model, X)
    for given in ((seen,), (model, seen)):
        with pytest.raises(UsageError, match=r"initium\.plan\(model, inputs\)") as caught:
            plan(*given, policy=policy)  # type: ignore[arg-type]
        assert three_parts(caught.value)


def test_auto_plans_by_theory_from_the_record_of_a_meta_model() -> None:
    with torch.device("meta"):
        model, x = mlp(4, 16, nn.Tanh), torch.empty(8, 16)
    assert plan(record(model, x)) == plan(model, x)
    assert plan(record(model, x)).chosen == "theory"


def test_rules_by_module_type_need_the_model_beside_the_record() -> None:
    model, rules = net(), [Rule(where=nn.Linear, method="orthogonal")]
    seen = record(model, X)
    assert plan(model, seen, policy="shipped", rules=rules)["0.weight"].method == "orthogonal"
    with pytest.raises(UsageError, match="record alone") as caught:
        plan(seen, policy="shipped", rules=rules)
    assert three_parts(caught.value)
    by_name = [Rule(where="0.weight", method="orthogonal")]
    assert plan(seen, policy="shipped", rules=by_name)["0.weight"].method == "orthogonal"


def test_bad_input() -> None:
    model = net()
    seen = record(model, X)
    bad: list[tuple[tuple[object, ...], dict[str, object], type[InitiumError], str]] = [
        ((seen, X), {}, UsageTypeError, "inputs beside a record"),
        ((seen, seen), {}, UsageTypeError, "inputs beside a record"),
        ((seen,), {"loss": torch.sum}, UsageTypeError, "loss beside a record"),
        ((model, seen), {"forward": lambda m, x: m(x)}, UsageTypeError, "forward beside a record"),
        ((mlp(2, 12, nn.ReLU), seen), {}, PlanMismatchError, "differ in the parameters 0.bias"),
        ((mlp(3, 16, nn.ReLU), seen), {}, PlanMismatchError, "differ in the parameters"),
        ((model,), {}, UsageTypeError, "NoneType"),
    ]
    for given, keywords, kind, words in bad:
        with pytest.raises(kind, match=words) as caught:
            plan(*given, policy="he_normal", **keywords)  # type: ignore[arg-type]
        assert three_parts(caught.value)


def test_only_a_policy_that_holds_samples_out_splits_the_batch() -> None:
    sizes = {
        need: look(net(), X, need, forward=None, loss=None, seed=0) for need in ("none", "data", "held_out")
    }  # type: ignore[arg-type]
    assert {need: seen.batch for need, (_, seen, _) in sizes.items()} == {
        "none": 32,
        "data": 32,
        "held_out": 16,
    }
    assert sizes["data"][0].calibration is X
    assert torch.equal(sizes["held_out"][0].calibration, X[::2])  # type: ignore[arg-type]


def test_inputs_are_made_up_and_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["initium.record.record"]
    calls: list[str] = []
    for name in ("with_data", "check_inputs"):
        real = getattr(module, name)

        def counted(*args: object, real: object = real, name: str = name) -> object:
            calls.append(name)
            return real(*args)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    made = plan(net(), (16,))
    assert calls == ["with_data", "check_inputs"]
    assert made.notes[-1].startswith("no data")
