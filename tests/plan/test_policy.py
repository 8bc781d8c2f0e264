from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.methods.test_method_contract import MINE
from tests.nets import mlp, noise, seeded
from tests.plan.nets import same, state_of, three_parts
from tests.plan.own_policies import Narrow, OneSweep
from torch import nn

from initium import Rule, init_, plan, record
from initium.errors import ContractError, UsageError
from initium.methods.catalogue import find
from initium.plan import Run


def net() -> nn.Module:
    with seeded():
        return mlp(2, 16, nn.ReLU)


X = noise(32, 16)


def test_a_policy_of_somebody_elses_starts_a_model() -> None:
    model = net()
    receipt = init_(model, X, policy=Narrow())
    assert receipt.written == tuple(name for name, _ in model.named_parameters())
    assert receipt.notes == ("everything is drawn narrow",)
    weight = model[0].weight.detach()
    assert float(weight.std()) == pytest.approx(0.01, rel=5 / (2 * weight.numel()) ** 0.5)
    made = plan(net(), X, policy=Narrow())
    assert (made.policy, made.chosen, made.verdict, made.before) == ("Narrow", "", "", None)
    assert len(made.predicted) == 3


def test_a_policy_that_runs_the_model_again_gets_one_half_of_the_samples_to_calibrate_on() -> None:
    made = plan(net(), X, policy=OneSweep())
    assert made.notes == ("16 samples calibrate, 16 verify",)
    assert made.chosen == "narrow"


def test_rules_of_the_user_win_over_any_policy() -> None:
    made = plan(net(), X, policy=Narrow(), rules=[Rule(where="0.weight", method="zeros")])
    assert made["0.weight"].method == "zeros"
    assert made["2.weight"].method == "normal"


def test_a_policy_that_needs_no_run_answers_to_a_record_alone() -> None:
    seen = record(net(), X)
    assert plan(seen, policy=Narrow()) == plan(net(), X, policy=Narrow())


def test_a_run_without_a_model_says_what_the_policy_should_have_asked_for() -> None:
    with pytest.raises(UsageError, match="holds no tensor") as caught:
        _ = Run(None).model
    assert three_parts(caught.value)


def test_a_run_records_the_samples_that_verify() -> None:
    run = Run(net(), X, X[::2], X[1::2][:5])
    assert run.record().batch == 5


@pytest.mark.parametrize("name", ["he_normal", "lsuv", "orthogonal"])
def test_a_method_as_an_object_is_the_policy_of_its_name(name: str) -> None:
    by_name, by_object = net(), net()
    init_(by_name, X, policy=name, seed=3)
    init_(by_object, X, policy=find(name), seed=3)
    assert same(state_of(by_name), state_of(by_object))
    assert plan(net(), X, policy=find(name)).policy == name
    assert not torch.equal(by_name[0].weight, net()[0].weight)


def test_a_method_of_ones_own_is_drawn_everywhere_and_one_that_is_none_is_named() -> None:
    model = net()
    receipt = init_(model, X, policy=MINE)
    assert {entry.method for entry in receipt.entries} == {"half_he", "zeros"}
    weight = model[0].weight.detach()
    assert float(weight.var()) == pytest.approx(1 / 16, rel=5 * (2 / weight.numel()) ** 0.5)
    with pytest.raises(ContractError, match="its draw is None") as caught:
        plan(net(), X, policy=replace(MINE, draw=None))
    assert three_parts(caught.value)
