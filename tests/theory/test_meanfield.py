from __future__ import annotations

import math

import pytest
import torch

from initium.errors import UsageError
from initium.theory.gains import ACTIVATIONS, moments
from initium.theory.meanfield import (
    Dials,
    FixedPoint,
    correlation_map,
    edge_of_chaos,
    fixed_points,
    product_mean,
    variance_map,
)


@pytest.mark.parametrize(("variance", "expected"), [(0.05, 1.76), (2.01e-5, 1.05)])
def test_tanh_has_the_published_points(variance, expected):
    assert edge_of_chaos("tanh", math.sqrt(variance)).sigma_w ** 2 == pytest.approx(expected, abs=0.005)


def test_homogeneous_functions_are_critical_everywhere_without_biases():
    assert edge_of_chaos("relu", 0.0).sigma_w == pytest.approx(math.sqrt(2))
    assert edge_of_chaos(lambda x: torch.where(x > 0, x, 0.3 * x), 0.0).sigma_w ** 2 == pytest.approx(
        2 / 1.09
    )
    with pytest.raises(UsageError, match="sigma_b = 0"):
        edge_of_chaos("relu", 0.1)


def test_a_net_on_the_edge_keeps_its_gradient():
    """20 layers of width 400: the gradient's mean square stays within a factor of two; chi^20 would not."""
    point = edge_of_chaos("gelu", 0.3)
    generator = torch.Generator().manual_seed(0)
    x = (torch.randn(64, 400, generator=generator) * math.sqrt(point.q)).requires_grad_()
    h = x
    for _ in range(20):
        weight = torch.randn(400, 400, generator=generator) * point.sigma_w / 20
        h = torch.nn.functional.gelu(h) @ weight + point.sigma_b * torch.randn(400, generator=generator)
    dz = torch.randn(h.shape, generator=generator)
    (dx,) = torch.autograd.grad(h, x, dz)
    assert dx.square().mean().item() == pytest.approx(1, rel=0.5)
    assert h.square().mean().item() == pytest.approx(point.q, rel=0.3)


@pytest.mark.parametrize("rho", [-1.0, -0.6, 0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("q", [0.2, 1.0, 5.0])
def test_relu_correlations_follow_the_arc_cosine_kernel(rho, q):
    expected = q / (2 * math.pi) * (math.sqrt(1 - rho * rho) + rho * (math.pi - math.acos(rho)))
    assert product_mean("relu", rho, q) == pytest.approx(expected, abs=3e-5 * q)
    mapped = correlation_map("relu", rho, q, Dials(w=2.0))
    assert mapped == pytest.approx(2 * expected / q, abs=1e-4)


@pytest.mark.parametrize("rho", [-1.0, -0.5, 0.0, 0.7, 1.0])
@pytest.mark.parametrize("q", [0.1, 2.0])
def test_erf_correlations_follow_the_arc_sine_kernel(rho, q):
    expected = 2 / math.pi * math.asin(2 * q * rho / (1 + 2 * q))
    assert product_mean(torch.erf, rho, q) == pytest.approx(expected, abs=1e-10)
    assert variance_map(torch.erf, q, Dials(w=3.0, b=0.5)) == pytest.approx(
        3 * 2 / math.pi * math.asin(2 * q / (1 + 2 * q)) + 0.5, abs=1e-10
    )


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "softplus", "tanh"])
@pytest.mark.parametrize("centring", [0.0, 0.5, 1.0])
def test_maps_agree_with_a_wide_random_layer(name, centring):
    """One layer of 1000 inputs and 4000 outputs: the estimates of a variance and a covariance err by about
    sqrt(2/4000) from the rows and as much from the columns, so five sigma are within 0.12 of the variance."""
    dials, q, rho = Dials(w=1.7, centring=centring, b=0.1), 1.3, 0.6
    generator = torch.Generator().manual_seed(1)
    draw = torch.randn(3, 1000, generator=generator, dtype=torch.float64)
    z = torch.stack([draw[0], rho * draw[0] + math.sqrt(1 - rho * rho) * draw[1]]) * math.sqrt(q)
    weight = torch.randn(4000, 1000, generator=generator, dtype=torch.float64) * math.sqrt(dials.w / 1000)
    weight -= centring * weight.mean(1, keepdim=True)
    bias = torch.randn(4000, generator=generator, dtype=torch.float64) * math.sqrt(dials.b)
    out = ACTIVATIONS[name](z) @ weight.T + bias
    power = variance_map(name, q, dials)
    assert out.square().mean().item() == pytest.approx(power, rel=0.12)
    covariance = (out[0] * out[1]).mean().item()
    assert covariance == pytest.approx(correlation_map(name, rho, q, dials) * power, abs=0.12 * power)


def test_a_relu_chain_forgets_what_tells_inputs_apart():
    """1 - rho falls like 9 pi^2 / (2 L^2) (Hayou et al. 2019); at 100 layers within a quarter of it."""
    rho = 0.0
    for _ in range(100):
        rho = min(correlation_map("relu", rho, 1.0, Dials(w=2.0)), 1.0)
    assert 1 - rho == pytest.approx(9 * math.pi**2 / 2 / 100**2, rel=0.25)


def test_fixed_points_of_tanh():
    """Below gain 1 none but 0; above it one that is stable, with chi < 1 near it without biases."""
    assert fixed_points("tanh", Dials(w=0.9)) == ()
    (point,) = fixed_points("tanh", Dials(w=2.0))
    assert variance_map("tanh", point.q, Dials(w=2.0)) == pytest.approx(point.q, rel=1e-9)
    assert point.stable
    assert point.chi == pytest.approx(2.0 * moments("tanh", point.q).d, rel=1e-9)


def test_an_unstable_fixed_point_is_told():
    """relu^2 of gain w: q' = w 1.5 q^2 has the fixed point q = 1 / (1.5 w), and the slope there is 2."""
    (point,) = fixed_points("relu_squared", Dials(w=1 / 1.5))
    assert point.q == pytest.approx(1.0, rel=1e-9)
    assert point.slope == pytest.approx(2.0, rel=1e-3)
    assert not point.stable


def test_a_homogeneous_function_keeps_every_variance():
    (point,) = fixed_points("relu", Dials(w=2.0))
    assert (point.q, point.chi) == pytest.approx((1.0, 1.0))


def test_a_correlation_beyond_one_is_refused():
    with pytest.raises(UsageError, match="correlation"):
        product_mean("relu", 1.5, 1.0)


@pytest.mark.parametrize("centring", [0.3, 0.7])
def test_centred_rows_lose_their_mean_squared_of_both_maps(centring):
    """ReLU: E f = sqrt(q / 2 pi), E f^2 = q / 2; a correlation of one stays one, whatever the rows have lost."""
    q, w = 1.3, 1.7
    dials = Dials(w=w, centring=centring)
    lost = (1 - (1 - centring) ** 2) * q / (2 * math.pi)
    assert variance_map("relu", q, dials) == pytest.approx(w * (q / 2 - lost), rel=1e-9)
    assert correlation_map("relu", 1.0, q, dials) == pytest.approx(1.0, abs=1e-4)
    # At rho = 0 the product of two means is all there is.
    assert correlation_map("relu", 0.0, q, dials) == pytest.approx(
        (q / (2 * math.pi) - lost) / (q / 2 - lost), abs=1e-4
    )


@pytest.mark.parametrize(("slope", "stable"), [(0.9, True), (-0.9, True), (1.2, False), (-1.2, False)])
def test_a_fixed_point_holds_where_the_map_brings_nearer(slope, stable):
    assert FixedPoint(1.0, slope, 1.0).stable == stable
