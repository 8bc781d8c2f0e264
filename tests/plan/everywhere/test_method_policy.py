from __future__ import annotations

import math

import pytest
import torch
from tests.nets import noise
from torch import nn

from initium import init_, plan
from initium.errors import UnknownNameError, UsageError
from initium.methods.catalogue import find
from initium.plan.everywhere.method_policy import OWN_BIASES, Everywhere


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 128), nn.LayerNorm(128), nn.ReLU(), nn.Linear(128, 32))


def test_weights_have_the_variance_of_the_method_and_default_biases_are_zero() -> None:
    model = net()
    init_(model, noise(16, 64), policy="he_normal")
    for layer in (model[0], model[3]):
        weight = layer.weight.detach()
        error = 5 * math.sqrt(2 / weight.numel())
        assert float(weight.var()) * layer.in_features / 2 == pytest.approx(1.0, abs=error)
        assert not layer.bias.any()
    assert torch.equal(model[1].weight, torch.ones(128))


def test_a_bias_that_somebody_set_is_kept_and_methods_with_biases_of_their_own_leave_them() -> None:
    model = net()
    nn.init.constant_(model[3].bias, -2.0)
    made = plan(model, noise(16, 64), policy="he_normal")
    assert (made["3.bias"].rule, made["0.bias"].method) == ("not a weight", "zeros")
    for name in OWN_BIASES:
        assert plan(net(), noise(16, 64), policy=name)["0.bias"].method != "zeros"


def test_what_the_method_cannot_serve_is_kept_with_the_reason() -> None:
    made = plan(net(), noise(16, 64), policy="icnr")
    assert made["0.weight"].rule == "cannot serve"
    assert "icnr cannot serve it" in made["0.weight"].reason


def test_wrong_parameters_are_refused_when_the_policy_is_made() -> None:
    with pytest.raises(UnknownNameError, match="mod"):
        Everywhere(find("he_normal"), {"mod": "fan_in"})
    with pytest.raises(UsageError):
        Everywhere(find("normal"), {"std": -1.0})


@pytest.mark.parametrize(
    ("policy", "std"),
    [
        ("he_normal:mode=fan_out", lambda out, fan: math.sqrt(2 / out)),
        ("xavier_uniform", lambda out, fan: math.sqrt(2 / (fan + out))),
        ("normal:std=0.05", lambda out, fan: 0.05),
    ],
)
def test_parameters_of_the_method_reach_every_weight(policy, std) -> None:
    """Kurtosis 3 at most: a deviation errs by sqrt(1 / 2 N) of itself."""
    model = net()
    init_(model, noise(16, 64), policy=policy)
    for weight in (model[0].weight.detach(), model[3].weight.detach()):
        out, fan = weight.shape
        assert weight.std().item() == pytest.approx(std(out, fan), rel=5 / math.sqrt(2 * out * fan))
