"""Layer by layer, variance in is variance out: forward with fan_in, backward with fan_out."""

from __future__ import annotations

import statistics

import pytest
import torch
from tests.methods.layers import CASES, forward_backward
from torch import nn

from initium.methods.catalogue import find
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.theory.fans import fans
from initium.theory.layer import Layer

DRAWS = 24


def measured(case, method, direction, **params):
    """Mean and standard error over independent weights of (mean square out) / (mean square in)."""
    layer, module = case.layer(), case.module()
    draw, generator = find(method)(layer, **params), torch.Generator().manual_seed(0)
    ratios = []
    for seed in range(DRAWS):
        fill_(module.weight, draw, key_for(seed, case.name))
        ratios.append(forward_backward(module, case.input(generator), generator)[direction == "backward"])
    return statistics.mean(ratios), statistics.stdev(ratios) / DRAWS**0.5


def check(mean, error, expected):
    """5 standard errors; and the errors are small enough to tell 1 from any of torch's factors."""
    assert error < 0.08 * expected
    assert mean == pytest.approx(expected, abs=5 * error + 1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("method", ["variance_scaling", "lecun_uniform", "he_normal"])
def test_forward(case, method):
    gain = 2.0 if method == "he_normal" else 1.0
    check(*measured(case, method, "forward"), gain)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_backward(case):
    check(*measured(case, "variance_scaling", "backward", mode="fan_out", distribution="uniform"), 1.0)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_orthogonal_can_keep_either(case, direction):
    check(*measured(case, "orthogonal", direction, scale=direction), 1.0)


def test_an_embedding_gives_its_variance_to_the_output():
    module, layer = nn.Embedding(500, 64), Layer("embedding", (500, 64), out_axis=1, in_axis=0)
    fill_(module.weight, find("lecun_normal")(layer), key_for(0, "e"))
    y = module(torch.arange(500))
    assert y.square().mean().item() == pytest.approx(1.0, abs=5 * (2 / 32000) ** 0.5)
    assert fans(layer).fan_in == 1


def test_a_bilinear_layer_multiplies_both_inputs():
    module = nn.Bilinear(24, 32, 40, bias=False)
    ratios = []
    generator = torch.Generator().manual_seed(0)
    draw = find("lecun_normal")(Layer("other", (40, 24, 32)))
    for seed in range(DRAWS):
        fill_(module.weight, draw, key_for(seed, "b"))
        x1, x2 = torch.randn(64, 24, generator=generator), torch.randn(64, 32, generator=generator)
        y = module(x1, x2)
        ratios.append((y.square().mean() / (x1.square().mean() * x2.square().mean())).item())
    check(statistics.mean(ratios), statistics.stdev(ratios) / DRAWS**0.5, 1.0)


def test_packed_projections_are_drawn_each_on_its_own():
    layer = Layer("linear", (96, 32), blocks=(32, 32, 32))
    weight = fill_(torch.empty(96, 32), find("orthogonal")(layer), key_for(0, "qkv"))
    q, k, v = weight.chunk(3)
    for part in (q, k, v):
        assert torch.allclose(part @ part.T, torch.eye(32), atol=1e-5)
    assert not torch.allclose(q, k)
    assert not torch.allclose(k, v)


@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", 20.0), ("fan_out", 80.0), ("fan_avg", 50.0), ("fan_geo", 40.0)]
)
def test_every_mean_of_the_fans(mode, fan):
    layer = Layer("linear", (80, 20))
    assert find("he_normal")(layer, mode=mode).std ** 2 == pytest.approx(2 / fan)
    assert find("xavier_normal")(layer).std ** 2 == pytest.approx(1 / 50)
    assert find("xavier_normal")(layer, convention="caffe").std ** 2 == pytest.approx(1 / 20)
    bound = find("xavier_uniform")(layer, gain=2.0).high
    assert bound**2 / 3 == pytest.approx(4 / 50)
