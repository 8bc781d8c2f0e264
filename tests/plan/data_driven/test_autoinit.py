from __future__ import annotations

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from tests.plan.nets import pictures
from torch import nn

from initium import plan
from initium.theory.gains import gain


@pytest.fixture(autouse=True)
def _seeded():
    with seeded():
        yield


@pytest.mark.parametrize(("act", "name"), [(nn.Tanh, "tanh"), (nn.ReLU, "relu"), (nn.GELU, "gelu")])
def test_scales_are_the_gains_of_the_activations(act, name):
    """Variance gain^2 / n behind an activation, by its integral; 1 / (n E x^2) for the inputs."""
    inputs = 2 * noise(512, 48)
    made = plan(mlp(3, 48, act), inputs, policy="autoinit")
    stds = [one.draw().std for one in made if one.method == "he_normal"]
    assert stds[0] ** 2 == pytest.approx(1 / 48 / float(inputs.square().mean()), rel=0.02)
    assert [std**2 for std in stds[1:]] == pytest.approx([gain(name) ** 2 / 48] * 3, rel=1e-3)
    assert made.notes == ()


def test_measured_variances_are_near_one():
    """A single draw of 32 channels scatters about the mean over draws that the method keeps at 1."""
    model, found = plain_conv(4, 32), []
    made = plan(model, pictures(32, 16), policy="autoinit")
    made.apply(model, seed=made.seed)
    for module in model:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, i, out: found.append(float(out.detach().var())))
    model(pictures(32, 16))
    assert all(0.6 < var < 1.6 for var in found)


def test_no_data_are_needed():
    with torch.device("meta"):
        empty = mlp(2, 32, nn.Tanh)
    made = plan(empty, torch.empty(4, 32, device="meta"), policy="autoinit")
    assert made["4.weight"].draw().std ** 2 == pytest.approx(gain("tanh") ** 2 / 32, rel=1e-3)


def test_what_theory_cannot_follow_is_named():
    model = nn.Sequential(nn.Linear(16, 16), nn.Softmax(-1), nn.Linear(16, 4))
    made = plan(model, noise(64, 16), policy="autoinit")
    assert any("no rule" in note for note in made.notes)
