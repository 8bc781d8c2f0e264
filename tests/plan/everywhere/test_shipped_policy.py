from __future__ import annotations

from tests.nets import mlp, noise
from tests.plan.nets import same, state_of
from torch import nn

from initium import Rule, init_, plan, record
from initium.plan.everywhere.shipped_policy import Shipped, as_shipped
from initium.plan.policy import Run


def test_everything_stays_but_for_rules() -> None:
    model = mlp(2, 8, nn.ReLU)
    before = state_of(model)
    receipt = init_(model, noise(8, 8), policy="shipped")
    assert receipt.written == ()
    assert same(before, state_of(model))
    made = plan(model, noise(8, 8), policy="shipped", rules=[Rule(where="0.bias", method="ones")])
    assert {one.name: one.rule for one in made if one.rule != "shipped"} == {"0.bias": "rule"}


def test_it_names_every_parameter_in_order_and_takes_what_rules_decided() -> None:
    seen = record(mlp(2, 8, nn.ReLU), noise(8, 8))
    found = Shipped().decide(seen, Run(None))
    assert [one.name for one in found.assignments] == [info.name for info in seen.parameters]
    assert all(one.keeps and one.rule == "shipped" and one.reason for one in found.assignments)
    assert [tuple(one.layer.shape) for one in found.assignments] == [info.shape for info in seen.parameters]
    assert (tuple(found.notes), found.chosen, found.before) == ((), "", None)
    other = found.assignments[0]
    assert as_shipped(seen, Run(None, ruled={"0.bias": other}))[1] is other
