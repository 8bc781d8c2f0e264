"""A method everywhere: weights by it, plain biases nought, what it cannot serve kept."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from initium import plan
from initium.errors import UnknownNameError, UsageError
from initium.methods.catalogue import find
from initium.plan.everywhere.method_policy import Everywhere
from initium.plan.policy import Run
from initium.record import record

X = torch.randn(16, 30, generator=torch.Generator().manual_seed(0))


def net():
    return nn.Sequential(
        nn.Linear(30, 60), nn.LayerNorm(60), nn.ReLU(), nn.Linear(60, 40), nn.ReLU(), nn.Linear(40, 20)
    )


def decided(name, model=None, **params):
    seen = record(model or net(), X)
    return {one.name: one for one in Everywhere(find(name), params).decide(seen, Run(None)).assignments}


@pytest.mark.parametrize(
    ("name", "params", "std"),
    [
        ("he_normal", {}, lambda out, fan: math.sqrt(2 / fan)),
        ("he_normal", {"mode": "fan_out"}, lambda out, fan: math.sqrt(2 / out)),
        ("xavier_uniform", {}, lambda out, fan: math.sqrt(2 / (fan + out))),
        ("normal", {"std": 0.05}, lambda out, fan: 0.05),
    ],
)
def test_every_weight_has_the_spread_of_its_fans(name, params, std):
    """Kurtosis 3 at most: a deviation errs by sqrt(1 / 2 N) of itself."""
    model = net()
    text = name + (":" + ",".join(f"{key}={value}" for key, value in params.items()) if params else "")
    plan(model, X, policy=text).apply(model, seed=1)
    for module in (model[0], model[3], model[5]):
        out, fan = module.weight.shape
        expected = std(out, fan)
        assert module.weight.std().item() == pytest.approx(expected, rel=5 / math.sqrt(2 * out * fan))
        assert not module.bias.any()


def test_norms_are_kept_and_biases_follow_what_was_published():
    found = decided("he_normal")
    assert {name for name, one in found.items() if one.keeps} == {"1.weight", "1.bias"}
    assert {name for name, one in found.items() if one.method == "zeros"} == {"0.bias", "3.bias", "5.bias"}
    torchs = decided("torch_default")
    assert torchs["0.bias"].method != "zeros"


def test_a_bias_that_the_author_set_is_kept():
    model = net()
    nn.init.constant_(model[5].bias, -4.6)
    found = decided("he_normal", model)
    assert found["5.bias"].keeps
    assert found["3.bias"].method == "zeros"


def test_what_the_method_cannot_serve_is_kept_with_the_reason():
    model = nn.Sequential(nn.Linear(30, 6), nn.Unflatten(1, (2, 3)), nn.Conv1d(2, 4, 3))
    found = decided("delta_orthogonal", model)
    assert found["0.weight"].keeps
    assert "delta_orthogonal" in found["0.weight"].reason
    assert not found["2.weight"].keeps


def test_parameters_are_checked_when_it_is_made():
    with pytest.raises(UnknownNameError, match="mode"):
        Everywhere(find("he_normal"), {"mod": "fan_in"})
    with pytest.raises(UsageError, match="std"):
        Everywhere(find("normal"), {"std": -1.0})
