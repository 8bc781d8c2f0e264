from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tests.methods.made import made

from initium.errors import UsageError
from initium.methods.catalogue import find
from initium.methods.families.signal_propagation import critical_point, pooled_share
from initium.methods.kit.law import law
from initium.theory.gains import gain, moments
from initium.theory.layer import Layer

LAYER = Layer("linear", (200, 300))


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "softplus"])
@pytest.mark.parametrize("convention", ["second_moment", "centred", "backward"])
def test_numeric_gain_is_the_gain(name, convention):
    draw = find("numeric_gain")(LAYER, nonlinearity=name, convention=convention)
    assert draw.std == pytest.approx(gain(name, convention=convention) / math.sqrt(300))


def test_dropout_is_taken_back():
    """Mean square after ReLU and inverted dropout of rate p is 1 / (1 - p) times that before."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, 300, generator=generator)
    for p in (0.0, 0.3, 0.8):
        mask = (torch.rand(z.shape, generator=generator) >= p) / (1 - p)
        x = z.relu() * mask
        draw = find("dropout_he")(LAYER, p=p)
        assert draw.std**2 * 300 == pytest.approx(2 * (1 - p))
        out = (x @ made("dropout_he", LAYER, p=p).T).square().mean().item()
        assert out == pytest.approx(1.0, abs=0.08 / math.sqrt(1 - p))


@pytest.mark.parametrize(("nonlinearity", "f"), [("identity", lambda x: x), ("relu", F.relu)])
@pytest.mark.parametrize("width", [8, 16, 40])
def test_random_walk_keeps_the_mean_of_the_log(nonlinearity, f, width):
    """One layer changes log |f(W x)|^2 by nothing on average: 40,000 draws; the paper's ReLU g is a fit."""
    layer = Layer("linear", (width, width))
    std = find("random_walk")(layer, nonlinearity=nonlinearity).std
    z = torch.randn(40_000, width, generator=torch.Generator().manual_seed(0)) * std * math.sqrt(width)
    y = f(z)  # |x| = sqrt(width)
    logs = (y.square().sum(1) / width).clamp_min(1e-9).log()
    logs = logs[y.abs().sum(1) > 0]
    error = 5 * logs.std().item() / 200
    assert logs.mean().item() == pytest.approx(0, abs=error + (0.05 if nonlinearity == "relu" else 0))


def test_random_walk_is_he_for_wide_layers_and_knows_two_units():
    wide = find("random_walk")(Layer("linear", (10, 10_000)))
    assert wide.std**2 * 10_000 == pytest.approx(2, rel=1e-3)
    with pytest.raises(UsageError, match="numeric_gain"):
        find("random_walk")(LAYER, nonlinearity="tanh")


def test_asv_counts_padding_and_pooling():
    layer = Layer("conv", (8, 8, 3, 3), padding=(1, 1), input_size=(4, 4))
    assert find("asv")(layer).std ** 2 == pytest.approx(2 / (8 * 2.5**2))
    average = find("asv")(layer, pooling="average").std ** 2
    assert average == pytest.approx(8 / (1 + 3 / math.pi) / (8 * 2.5**2))
    with pytest.raises(UsageError, match="pooling behind 'tanh'"):
        find("asv")(layer, pooling="max", nonlinearity="tanh")


@pytest.mark.parametrize("window", [1, 4, 9])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_pooled_shares_are_what_pooling_leaves(pooling, window):
    """Forward against independent normals through ReLU and pooling; backward against autograd."""
    z = torch.randn(200_000, window, generator=torch.Generator().manual_seed(0)).requires_grad_()
    active = z.relu()
    out = active.amax(1) if pooling == "max" else active.mean(1)
    seen = out.detach().square()
    error = 5 * float(seen.std()) / math.sqrt(len(seen))
    assert float(seen.mean()) == pytest.approx(pooled_share(pooling, window, "fan_in"), abs=error)
    (grad,) = torch.autograd.grad(out.sum(), z)
    error = 5 * float(grad.square().std()) / math.sqrt(grad.numel())
    assert float(grad.square().mean()) == pytest.approx(pooled_share(pooling, window, "fan_out"), abs=error)


def test_asv_is_never_beyond_three_times_he():
    layer = Layer("conv", (8, 8, 3, 3))
    ratio = find("asv")(layer, pooling="average", window=49, mode="fan_out").std
    assert ratio == pytest.approx(3 * find("he_normal")(layer, mode="fan_out").std)


def test_critical_points():
    """tanh at sigma_b^2 = 0.05 and 2.01e-5: the published 1.76 and 1.05."""
    assert critical_point("tanh", 0.05**0.5).sigma_w ** 2 == pytest.approx(1.76, abs=0.005)
    assert critical_point("tanh", 2.01e-5**0.5).sigma_w ** 2 == pytest.approx(1.05, abs=0.002)
    relu = find("critical")(LAYER, nonlinearity="relu")
    assert relu.std == pytest.approx(find("he_normal")(LAYER).std)
    assert law(find("critical")(Layer("vector", (9,)), nonlinearity="relu")).var == 0
    assert find("critical")(Layer("vector", (9,)), nonlinearity="gelu").std == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "elu", "sin"])
def test_a_critical_point_is_a_fixed_point_of_unit_slope(name):
    point = critical_point(name, None)
    at = moments(name, point.q)
    assert point.sigma_w**2 * at.d == pytest.approx(1, abs=1e-6)
    assert point.sigma_w**2 * at.s + point.sigma_b**2 == pytest.approx(point.q, rel=1e-6)


def test_softplus_has_no_critical_point():
    with pytest.raises(UsageError, match="no critical point"):
        find("critical")(LAYER, nonlinearity="softplus")


def test_residual_scales():
    draw = find("hanin_rolnick")(LAYER, index=4, base=0.8)
    assert draw.std == pytest.approx(math.sqrt(2 / 300) * 0.8**4)
    assert find("taki")(LAYER, num_layers=20, c=1.5).std ** 2 == pytest.approx(1.5 / 20 / 300)


def test_taki_bounds_a_residual_stream():
    """x + W relu(x), variance times 1 + c / (2 L) a block: at most e^(c/2) through L blocks."""
    x = torch.randn(64, 200, generator=torch.Generator().manual_seed(0))
    start = x.square().mean().item()
    for seed in range(40):
        x = x + x.relu() @ made("taki", Layer("linear", (200, 200)), seed, num_layers=40).T
    assert x.square().mean().item() / start == pytest.approx(math.exp(0.5), rel=0.15)


def test_tanh_fixed_point_neither_dies_nor_saturates():
    x = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    for seed in range(100):
        width = (16, 4)[seed % 2]
        x = torch.tanh(x @ made("tanh_fixed_point", Layer("linear", (width, x.shape[1])), seed).T)
    spread = x.std().item()
    assert 0.05 < spread < 0.9


def test_tanh_fixed_point_is_a_repeated_identity_plus_noise():
    weight = made("tanh_fixed_point", Layer("linear", (60, 20)))
    noise = weight - torch.eye(20).repeat(3, 1)
    assert noise.std().item() == pytest.approx(0.085 / math.sqrt(20), rel=5 / math.sqrt(2 * 1200))
