from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from initium.theory.gains import moments
from initium.theory.laws import gaussian, independent, mixture


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "gelu", "softplus", "sin"])
@pytest.mark.parametrize("q", [0.2, 3.0])
def test_moments_are_those_of_the_quadrature(name, q):
    from initium.theory.gains import activation

    law, known = gaussian(q).map(activation(name)), moments(name, q)
    assert law.mean == pytest.approx(known.m, abs=1e-4)
    assert law.second == pytest.approx(known.s, rel=1e-4)
    assert law.gain == pytest.approx(known.d, rel=1e-3)


def test_the_slope_is_that_of_the_variance_map():
    step = 1.01
    expected = torch.log(torch.tensor(moments("tanh", 2 * step).s / moments("tanh", 2 / step).s)) / (
        2 * torch.log(torch.tensor(step))
    )
    assert gaussian(2.0).map(torch.tanh).slope == pytest.approx(float(expected), rel=1e-3)


def test_inputs_of_different_size_widen_the_law():
    law = gaussian(2.0, spread=0.5)
    assert law.second == pytest.approx(2.0, rel=1e-6)
    fourth = float(law.values[0].pow(4) @ law.weights)
    assert fourth / 3 / law.second**2 - 1 == pytest.approx(0.5, rel=0.02)  # seven nodes of the lognormal
    assert law.map(torch.relu).second == pytest.approx(1.0, rel=1e-6)
    assert law.map(torch.tanh).second < gaussian(2.0).map(torch.tanh).second


def test_independent_values_add_and_multiply_as_drawn_ones_do():
    x = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randn(400_000, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.5
    drawn = F.relu(torch.relu(x) + y)
    law = independent(gaussian(1.0).map(torch.relu), gaussian(0.25), torch.add).map(torch.relu)
    assert law.second == pytest.approx(
        float(drawn.square().mean()), rel=0.01
    )  # six standard errors are 0.9 %
    gated = independent(gaussian(1.0), gaussian(1.0).map(torch.sigmoid), torch.mul)
    known = moments("sigmoid").s
    assert gated.second == pytest.approx(known, rel=1e-3)


def test_a_function_in_pieces_of_one_root_is_exact():
    root = gaussian(1.5)
    silu = root.join(root.map(torch.sigmoid), torch.mul)
    assert silu.second == pytest.approx(moments("silu", 1.5).s, rel=1e-4)
    assert silu.gain == pytest.approx(moments("silu", 1.5).d, rel=1e-3)


def test_a_mixture_has_the_shares_of_its_parts():
    law = mixture([gaussian(1.0), gaussian(4.0)], [0.25, 0.75])
    assert law.second == pytest.approx(3.25)
    assert law.slope == pytest.approx(1.0)


def test_a_signal_of_zero_stays_one():
    law = gaussian(0.0).map(torch.relu)
    assert (law.second, law.slope, law.excess, law.gain) == (0.0, 0.0, 0.0, 0.0)
    assert independent(law, gaussian(1.0), torch.add).second == pytest.approx(1.0)


def test_the_odd_part_is_what_is_left_of_a_function_less_its_reflection():
    """relu(z) - relu(-z) = z, and softplus likewise; |z| has none."""
    for f in (torch.relu, torch.nn.functional.softplus):
        odd = gaussian(1.7).map(f).odd()
        assert odd is not None
        torch.testing.assert_close(odd.values, gaussian(1.7).values, atol=1e-12, rtol=0)
    even = gaussian(1.7, spread=0.3).map(torch.abs).odd()
    assert even is not None
    assert even.second < 1e-30


@pytest.mark.parametrize("q", [0.3, 1.0, 2.0])
def test_the_gain_moves_with_the_scale_as_its_derivative_says(q):
    """z^3: E f'^2 = 27 q^2, whose log-slope is 2; tanh by central differences."""
    assert gaussian(q).map(lambda z: z**3).gain_slope == pytest.approx(2.0, rel=1e-3)
    gains = [gaussian(q * factor).map(torch.tanh).gain for factor in (1.01, 1 / 1.01)]
    slope = math.log(gains[0] / gains[1]) / (2 * math.log(1.01))
    assert gaussian(q).map(torch.tanh).gain_slope == pytest.approx(slope, rel=2e-3)
