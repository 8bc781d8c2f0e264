from __future__ import annotations

import pytest
from tests.nets import mlp, noise
from torch import nn

import initium
from initium.plan.predicted import predicted


def test_a_plan_is_predicted_before_it_is_written():
    net, x = mlp(4, 64, nn.ReLU), noise(32, 64)
    made = initium.plan(net, x, policy="he_normal")
    before = predicted(initium.record(net, x), made, seed=3)
    made.apply(net, seed=3)
    after = initium.record(net, x)
    assert all(one.measured is None and not one.outside for one in before)
    for one in before:
        measured = after.nodes[one.node].forward.second
        assert one.low <= measured <= one.high


def test_a_kept_weight_counts_as_it_was_found():
    net, x = mlp(2, 32, nn.Tanh), noise(16, 32)
    seen = initium.record(net, x)
    made = initium.plan(net, x, policy="shipped")
    assert [one.second for one in predicted(seen, made)] == pytest.approx(
        [one.second for one in predicted(seen, ())]
    )
