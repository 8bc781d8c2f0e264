"""Policy `shipped` changes no bit but what a rule names."""

from __future__ import annotations

import torch
from torch import nn

from initium import Rule, plan
from initium.plan.everywhere.shipped_policy import Shipped, as_shipped
from initium.plan.policy import Run
from initium.record import record


def net():
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.BatchNorm1d(40), nn.Linear(40, 50))


X = torch.randn(16, 6, generator=torch.Generator().manual_seed(0))


def test_everything_is_kept_and_said_why():
    seen = record(net(), X)
    found = Shipped().decide(seen, Run(None))
    assert [one.name for one in found.assignments] == [info.name for info in seen.parameters]
    assert all(one.keeps and one.rule == "shipped" and one.reason for one in found.assignments)
    assert [tuple(one.layer.shape) for one in found.assignments] == [info.shape for info in seen.parameters]
    assert (tuple(found.notes), found.chosen, found.before) == ((), "", None)
    assert Shipped().needs == "none"


def test_a_plan_of_it_leaves_every_bit_but_those_of_a_rule():
    model = net()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    plan(model, X, policy="shipped").apply(model, seed=3)
    assert all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    plan(model, X, policy="shipped", rules=[Rule(where="3.weight", method="normal", std=0.3)]).apply(
        model, seed=3
    )
    changed = {name for name, one in model.state_dict().items() if not torch.equal(one, before[name])}
    assert changed == {"3.weight"}
    assert abs(model[3].weight.std().item() / 0.3 - 1) < 5 / (2 * 2000) ** 0.5


def test_what_rules_decided_is_taken_as_it_is():
    seen = record(net(), X)
    kept = as_shipped(seen, Run(None))
    ruled = {"0.bias": kept[0]}
    assert as_shipped(seen, Run(None, ruled=ruled))[1] is kept[0]
