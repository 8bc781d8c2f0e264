from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.theory.criticality import LOG_CHI_BUDGET, Start, critical_point, rates, start_of
from initium.theory.gains import ACTIVATIONS, moments
from initium.theory.sampled import Sampled

ODD = ("tanh", "sin", "softsign", "hardtanh")
LINEAR_ODD_PART = ("relu", "leaky_relu", "gelu", "silu", "quick_gelu", "softplus")


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS} - {"exp", "relu_squared"}))
@pytest.mark.parametrize("q", [0.1, 1.0, 4.0])
def test_centred_chains_never_damp_gradients(name, q):
    """Poincare: Var f <= q E f'^2, with equality for linear functions only."""
    bend = rates(name, q).log_chi
    assert bend >= -1e-9
    assert (bend < 1e-9) == (name == "identity" or (name in ("hardtanh", "hardsigmoid") and q < 0.03))


@pytest.mark.parametrize("name", LINEAR_ODD_PART)
@pytest.mark.parametrize("q", [0.1, 1.0, 4.0])
def test_mirrored_weights_make_them_linear(name, q):
    found = rates(name, q, mirrored=True)
    assert [found.log_chi, found.drift] == pytest.approx([0, 0], abs=1e-9)


def test_rates_have_their_closed_forms():
    """relu: d = 1/2, v = q (1/2 - 1/2pi). tanh at small q: v = q - 2 q^2, d = 1 - 2 q + ..., bend 4/3 q^2."""
    assert rates("relu", 2.0).log_chi == pytest.approx(-math.log(1 - 1 / math.pi), abs=1e-9)
    assert rates("relu", 2.0, centring=0.0).log_chi == pytest.approx(0, abs=1e-9)
    assert rates("tanh", 1e-3).log_chi == pytest.approx(4 / 3 * 1e-6, rel=0.02)
    assert rates("tanh", 1e-3).drift == pytest.approx(-2e-3, rel=0.02)
    assert rates("relu_squared", 1.0).drift == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("centring", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_what_is_left_of_the_mean_counts_by_its_square(centring):
    """relu at z ~ N(0, q): m^2 = q / 2pi, E f^2 = q / 2, so log chi = -log(1 - 1/pi + (1 - c)^2 / pi)."""
    left = (1 - centring) ** 2
    assert rates("relu", 2.0, centring=centring).log_chi == pytest.approx(
        -math.log(1 - 1 / math.pi + left / math.pi), abs=1e-9
    )


@pytest.mark.parametrize(("depth", "budget"), [(10, 1.0), (30, 1.5), (200, 2.0)])
def test_the_point_of_relu_has_its_closed_form(depth, budget):
    """The share kept of the mean solves 1 - 1/pi + (1 - c)^2 / pi = exp(-budget / depth); w = 2 chi."""
    point = critical_point("relu", depth, budget=budget)
    chi = math.exp(budget / depth)
    assert point.q == 1.0
    assert point.centring == pytest.approx(1 - math.sqrt(1 - math.pi * (1 - 1 / chi)), abs=1e-6)
    assert (point.chi, point.w) == pytest.approx((chi, 2 * chi), rel=1e-6)


def test_rows_less_a_part_of_their_mean_pass_on_what_the_design_says():
    """Var of W f(z), W less c of its row means, over N(0, w / fan_in): w (v + (1 - c)^2 m^2), for sigmoid.

    20,000 rows: the sample of squared row means errs by sqrt(2 / 20000) = 1 %, and all else by less.
    """
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(100, 8, generator=generator, dtype=torch.float64)
    f = torch.sigmoid(z)
    for centring in (0.25, 0.6):
        weight = torch.randn(20_000, 100, generator=generator, dtype=torch.float64) / 10
        weight = weight - centring * weight.mean(1, keepdim=True)
        at = moments("sigmoid", 1.0)
        expected = at.v + (1 - centring) ** 2 * at.m**2
        assert (weight @ f).square().mean().item() == pytest.approx(expected, rel=0.04)
        chain = rates("sigmoid", 1.0, centring=centring)
        assert math.exp(-chain.log_chi) * at.d == pytest.approx(expected, rel=1e-9)


def test_several_activations_are_averaged():
    both = rates(["tanh", "tanh", "relu"], 1.0)
    assert both.log_chi == pytest.approx((2 * rates("tanh", 1.0).log_chi + rates("relu", 1.0).log_chi) / 3)


@pytest.mark.parametrize("name", [*ODD, "sigmoid", "elu"])
@pytest.mark.parametrize("depth", [8, 60, 1000])
def test_the_point_keeps_the_budget_and_uses_it(name, depth):
    point = critical_point(name, depth)
    assert depth * math.log(point.chi) <= LOG_CHI_BUDGET + 1e-3
    assert point.q == 4.0 or depth * math.log(point.chi) >= 0.7 * LOG_CHI_BUDGET
    at = moments(name, point.q)
    assert point.w * (at.v + (1 - point.centring) ** 2 * at.m**2) == pytest.approx(point.q)
    assert point.w * at.d == pytest.approx(point.chi)


def test_the_deeper_the_smaller():
    found = [critical_point("tanh", depth).q for depth in (8, 20, 50, 100, 1000)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1.1, abs=0.1)


def test_what_always_bends_keeps_a_part_of_its_mean():
    point = critical_point("relu", 30)
    assert point.q == 1.0
    assert 0 < point.centring < 0.2
    assert 30 * math.log(point.chi) == pytest.approx(LOG_CHI_BUDGET, rel=1e-3)


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("depth", [3, 20, 300])
def test_odd_activations_are_never_mirrored(name, depth):
    found = start_of(name, depth)
    assert (found.geometry, found.centring, found.shift) == ("orthogonal", 0.0, 0.0)


@pytest.mark.parametrize("name", LINEAR_ODD_PART)
def test_deep_relu_like_chains_are_mirrored_at_unit_gain(name):
    found = start_of(name, 50)
    assert found.geometry == "mirrored"
    slope = 0.01 if name == "leaky_relu" else 0.0
    assert found.gain == pytest.approx(1 / (1 + slope))
    assert found.q == (1.0 if name in ("relu", "leaky_relu") else 4.0)


@pytest.mark.parametrize("name", ["sigmoid", "elu", "softplus", "gelu"])
def test_short_chains_of_smooth_activations_are_centred(name):
    found = start_of(name, 8)
    assert (found.geometry, found.centring) == ("orthogonal", 1.0)


def test_a_start_does_not_depend_on_how_the_activation_is_given():
    x = torch.linspace(-25, 25, 20001, dtype=torch.float64)
    given = ["silu", nn.SiLU(), lambda z: z * torch.sigmoid(z), Sampled(x, F.silu(x))]
    found = [start_of(f, 30) for f in given]
    assert {one.geometry for one in found} == {"mirrored"}
    assert [one.q for one in found] == pytest.approx([4.0] * 4)
    assert [one.gain for one in found] == pytest.approx([1.0] * 4, rel=1e-4)


def test_biases_help_where_units_cannot_be_paired():
    """cos is even: nothing passes mirrored weights. Near 3/2 it is like a sine; ReLU far from its kink is linear."""
    cosine = start_of("cos", 20, biases=True)
    assert cosine.shift == pytest.approx(math.pi / 2, abs=0.1)
    assert 20 * math.log(cosine.chi) <= LOG_CHI_BUDGET * 1.05
    assert start_of("relu", 20, mirror=False, biases=True).shift >= 1.0
    assert start_of("relu", 20, mirror=False).shift == 0.0
    assert start_of("relu", 20, biases=True).geometry == "mirrored"


@settings(max_examples=12)
@given(st.floats(0.1, 3), st.floats(-1, 1), st.integers(1, 200))
def test_any_activation_has_a_start(bend, tilt, depth):
    """A family of smooth and kinked functions no table lists: the start is finite and the gradients are bounded."""
    found = start_of(lambda z: z * torch.sigmoid(bend * z) + tilt * torch.sin(z), depth, biases=True)
    assert isinstance(found, Start)
    assert all(math.isfinite(x) and x > 0 for x in (found.q, found.gain, found.chi))
    assert depth * math.log(found.chi) <= 3.1


def _gradient_growth(f, start: Start, depth: int) -> tuple[float, float]:
    """(second moment of the last pre-activations, growth of gradients) in a net of width 256 without calibration."""
    generator = torch.Generator().manual_seed(0)
    h = (torch.randn(32, 256, generator=generator) * math.sqrt(start.q)).requires_grad_()
    z = h
    for _ in range(depth):
        size = 128 if start.geometry == "mirrored" else 256
        weight = torch.linalg.qr(torch.randn(size, size, generator=generator))[0] * start.gain
        if start.geometry == "mirrored":
            weight = torch.cat([torch.cat([weight, -weight], 1), torch.cat([-weight, weight], 1)])
        weight = weight - start.centring * weight.mean(1, keepdim=True)
        z = f(z + start.shift) @ weight.T
    dz = torch.randn(z.shape, generator=generator)
    if start.geometry == "mirrored":
        dz[:, 128:] = -dz[:, :128]
    (dh,) = torch.autograd.grad(z, h, dz)
    return z.square().mean().item(), dh.square().mean().item() / dz.square().mean().item()


@pytest.mark.parametrize(
    ("name", "depth"), [("sigmoid", 60), ("tanh", 60), ("elu", 30), ("sin", 40), ("softplus", 8), ("gelu", 8)]
)
def test_wide_nets_do_as_predicted(name, depth):
    """Per layer the measured second moment errs by about 1/sqrt(256 * 32) and the theory by 1/256; what is left over
    a chain whose scale corrects itself is within 10 %, gradients within a factor of 1.6 over 60 layers."""
    start = start_of(name, depth)
    second, growth = _gradient_growth(ACTIVATIONS[name], start, depth)
    assert second == pytest.approx(start.q, rel=0.1 if rates(name, start.q).drift < 0 else 0.5)
    assert abs(math.log(growth) - depth * math.log(start.chi)) < 0.5


@pytest.mark.parametrize("name", ["relu", "gelu", "softplus"])
def test_mirrored_nets_are_isometries(name):
    """z -> W0 z at every layer, and twins of opposite sign: lengths are kept to rounding over 200 layers."""
    start = start_of(name, 200)
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(8, 32, generator=generator, dtype=torch.float64)
    z = torch.cat([half, -half], 1)
    for _ in range(200):
        core = torch.linalg.qr(torch.randn(32, 32, generator=generator, dtype=torch.float64))[0] * start.gain
        z = ACTIVATIONS[name](z) @ torch.cat([torch.cat([core, -core], 1), torch.cat([-core, core], 1)]).T
    assert torch.allclose(z[:, :32] @ z[:, :32].T, half @ half.T, rtol=1e-6, atol=1e-6)


def test_wrong_uses_are_told():
    with pytest.raises(UsageError, match="depth 0"):
        start_of("relu", 0)
    with pytest.raises(UsageError, match="no activation"):
        start_of([], 5)
    with pytest.raises(UsageError, match="pointwise"):
        start_of(lambda z: torch.softmax(z, -1), 5)


def test_modules_with_parameters_are_functions_like_others():
    """A PReLU of slope .1 and the leaky ReLU that it is; deep enough to be reflected, or moved by a bias."""
    prelu, leaky = torch.nn.PReLU(init=0.1), lambda z: torch.nn.functional.leaky_relu(z, 0.1)
    for options in ({}, {"mirror": False, "biases": True}):
        found, expected = (start_of(f, 60, **options) for f in (prelu, leaky))
        assert (found.geometry, found.shift) == (expected.geometry, expected.shift)
        assert found.gain == pytest.approx(expected.gain, rel=1e-6)


def softened(tilt, bend=0.3):
    """An odd part that bends by `bend` and an even one of that size."""
    return lambda x: tilt * (F.softplus(2 * x) - math.log(2)) + x - bend * x**3 / (1 + x * x)


@pytest.mark.parametrize(
    ("f", "depth", "geometry"),
    [
        ("elu", 100, "orthogonal"),  # mirrored weights bear 5.5 times the q of plain ones
        (softened(0.5), 100, "orthogonal"),  # 16 times
        (softened(1.0), 100, "mirrored"),  # 31 times
        (softened(0.5, 0.05), 300, "mirrored"),  # 38 times
        (softened(0.3, 0.05), 300, "orthogonal"),  # 16 times
    ],
)
def test_units_are_paired_only_for_a_scale_that_is_clearly_wider(f, depth, geometry):
    """Pairs cost half of the units: they are worth it from 20 times the q on that plain weights bear."""
    plain, mirrored = critical_point(f, depth), critical_point(f, depth, mirrored=True)
    assert plain.centring == 1.0
    ratio = mirrored.q / plain.q
    assert 1.5 < ratio < 60
    assert (ratio > 20) == (geometry == "mirrored")
    assert start_of(f, depth).geometry == geometry


@pytest.mark.parametrize("centring", [0.25, 0.5, 0.9])
def test_rows_less_a_part_of_their_mean_pass_on_the_rest_squared(centring):
    """ReLU at q = 1: m = 1/sqrt(2 pi), v = 1/2 - 1/(2 pi), d = 1/2, and w (v + (1 - c)^2 m^2) = q."""
    power = 0.5 - 1 / (2 * math.pi) + (1 - centring) ** 2 / (2 * math.pi)
    assert rates("relu", 1.0, centring=centring).log_chi == pytest.approx(math.log(0.5 / power), abs=1e-9)


def test_the_mean_that_is_kept_solves_the_budget():
    """(1 - c)^2 m^2 = d exp(-budget / depth) - v, for ReLU at q = 1."""
    for depth in (10, 30, 100):
        kept = math.sqrt(2 * math.pi * (0.5 * math.exp(-LOG_CHI_BUDGET / depth) - 0.5) + 1)
        assert critical_point("relu", depth).centring == pytest.approx(1 - kept, abs=1e-6)


@pytest.mark.parametrize(("depth", "wider"), [(200, 9.7), (600, 17.4), (1000, 22.9), (3000, 41.5)])
def test_mirrored_weights_must_be_worth_the_units_that_they_pair(depth, wider):
    """Where both would do, mirrored ones are taken if they bear twenty times as large a q."""

    def f(z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(z + 0.5)

    largest = [critical_point(f, depth, mirrored=mirrored).q for mirrored in (True, False)]
    assert largest[0] / largest[1] == pytest.approx(wider, rel=0.05)
    assert start_of(f, depth).geometry == ("mirrored" if wider > 20 else "orthogonal")


@pytest.mark.parametrize(("depth", "geometry"), [(2, "orthogonal"), (4, "mirrored")])
def test_a_short_chain_must_not_drift_either(depth, geometry):
    """z + z^2 / 2: V = q + q^2 / 2 and d = 1 + q, so at q = 1 it bends by log(4/3) and drifts by 1/3 a layer."""

    def f(z):
        return z + z * z / 2

    at = rates(f, 1.0)
    assert [at.log_chi, at.drift] == pytest.approx([math.log(4 / 3), 1 / 3], abs=1e-4)
    assert start_of(f, depth).geometry == geometry  # a drift of 1 is the most that a chain bears
