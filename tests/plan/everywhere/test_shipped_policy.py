from __future__ import annotations

from tests.nets import mlp, noise
from tests.plan.nets import same, state_of
from torch import nn

from initium import Rule, init_, plan


def test_everything_stays_but_for_rules() -> None:
    model = mlp(2, 8, nn.ReLU)
    before = state_of(model)
    receipt = init_(model, noise(8, 8), policy="shipped")
    assert receipt.written == ()
    assert same(before, state_of(model))
    made = plan(model, noise(8, 8), policy="shipped", rules=[Rule(where="0.bias", method="ones")])
    assert {one.name: one.rule for one in made if one.rule != "shipped"} == {"0.bias": "rule"}
