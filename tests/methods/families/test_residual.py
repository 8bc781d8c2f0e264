from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.random.distributions import Constant
from initium.theory.layer import Layer


def test_fixup_scales_as_the_paper_says():
    layer = Layer("conv", (64, 32, 3, 3))
    basic = find("fixup")(layer, num_blocks=25)
    assert basic.std == pytest.approx(math.sqrt(2 / (64 * 9)) * 25**-0.5)
    bottleneck = find("fixup")(layer, num_blocks=16, branch_layers=3)
    assert bottleneck.std == pytest.approx(math.sqrt(2 / (64 * 9)) * 16**-0.25)
    assert find("fixup")(layer, last=True) == Constant(0.0)
    assert find("fixup")(layer, branch_layers=1) == Constant(0.0)


def test_what_starts_a_branch_at_zero():
    for name in ("zero_gamma", "skip_init", "rezero"):
        assert find(name)(Layer("vector", (1,))) == Constant(0.0)
        with pytest.raises(LayerError, match="use zeros"):
            find(name)(Layer("linear", (4, 4)))


@pytest.mark.parametrize(("blocks", "value"), [(12, 0.1), (18, 0.1), (24, 1e-5), (36, 1e-6)])
def test_layer_scale_by_depth(blocks, value):
    assert find("layer_scale")(Layer("vector", (8,)), num_blocks=blocks) == Constant(value)
    assert find("layer_scale")(Layer("vector", (8,)), num_blocks=blocks, value=0.5) == Constant(0.5)


def test_standardized_weights_have_exact_moments_and_keep_the_variance():
    weight = made("scaled_standardized", Layer("conv", (512, 16, 3, 3)))
    rows = weight.flatten(1)
    assert rows.mean(1).abs().max() < 1e-6
    assert torch.allclose(rows.var(1, correction=0) * 144, torch.full((512,), 1.7129**2), rtol=1e-3)
    x = F.relu(torch.randn(4, 16, 24, 24, generator=torch.Generator().manual_seed(0)))
    z = F.conv2d(x, weight)
    assert z.var().item() == pytest.approx(1.0, abs=0.06)  # 2,304 nearly independent inputs a unit


def test_weight_norm_scales_keep_the_norm_through_relu():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, generator=generator).relu()
    v = torch.randn(100, 700, 300, generator=generator)
    g = find("weight_norm_he")(Layer("vector", (700,)), fan_in=300, fan_out=700).value
    ratios = (g * F.normalize(v, dim=2) @ x).relu().norm(dim=1).square() / x.norm().square()
    assert ratios.mean().item() == pytest.approx(1.0, abs=5 * ratios.std().item() / 10)
    assert ratios.std() < 0.1
    assert find("weight_norm_he")(Layer("vector", (7,)), direction="backward").value == pytest.approx(2**0.5)
    branch = find("weight_norm_he")(Layer("vector", (7,)), fan_in=4, fan_out=4, num_blocks=9).value
    assert branch == pytest.approx(1 / 3)
    with pytest.raises(LayerError, match="fan_in="):
        find("weight_norm_he")(Layer("vector", (7,)))
