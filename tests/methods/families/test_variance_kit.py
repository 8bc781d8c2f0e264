"""Fans, gains and spreads against torch.nn.init, scipy and integrals."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import integrate, stats
from torch import nn

from initium.errors import UsageError
from initium.methods.families.variance_kit import fans_of, pick, resolve_gain, scaled, spread
from initium.random import fill_, key_for
from initium.random.distributions import Constant, Normal
from initium.theory.fans import Fans
from initium.theory.layer import Layer

CONV = Layer("conv", (24, 8, 3, 3), groups=2, stride=(2, 2), padding=(1, 1), input_size=(12, 12))
NUM = 200_000


def drawn(distribution: str, std: float) -> torch.Tensor:
    return fill_(torch.empty(NUM), spread(distribution, std), key_for(0, distribution)).double()


@pytest.mark.parametrize("shape", [(7, 5), (24, 8, 3, 3), (4, 6, 5), (2, 3, 2, 2, 2)])
def test_torch_fans_are_torchs(shape):
    kind = "linear" if len(shape) == 2 else "conv"
    expected = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    found = fans_of(Layer(kind, shape), "torch")
    assert (found.fan_in, found.fan_out) == expected


def test_the_other_conventions_count_groups_stride_and_padding():
    """12 of each group's outputs; a quarter of the taps at stride 2; 1 of 3 taps is cut off at 1 of 6 positions."""
    plain = fans_of(CONV, "unpadded")
    assert (plain.fan_in, plain.fan_out) == (8 * 9, 12 * 9 / 4)
    share = (1 - 1 / 18) ** 2
    padded = fans_of(CONV, "effective")
    assert (padded.fan_in, padded.fan_out) == pytest.approx((72 * share, 27 * share))


@pytest.mark.parametrize(
    ("mode", "expected"), [("fan_in", 8.0), ("fan_out", 2.0), ("fan_avg", 5.0), ("fan_geo", 4.0)]
)
def test_the_fan_of_each_mode(mode, expected):
    assert pick(Fans(8.0, 2.0), mode) == pytest.approx(expected)


def test_a_uniform_draw_has_the_spread_and_the_law():
    values = drawn("uniform", 0.3)
    assert stats.kstest(values.numpy(), stats.uniform(-0.3 * 3**0.5, 0.6 * 3**0.5).cdf).pvalue > 1e-3


def test_a_truncated_draw_has_the_spread_after_its_cut():
    """The deviation before the cut is std / .8796, that of a normal cut at 2 of its own."""
    wide = 0.3 / stats.truncnorm(-2, 2).std()
    values = drawn("truncated_normal", 0.3)
    assert stats.kstest(values.numpy(), stats.truncnorm(-2, 2, scale=wide).cdf).pvalue > 1e-3
    assert values.abs().max().item() <= 2 * wide * (1 + 1e-6)
    # kurtosis 2.4: the deviation errs by sqrt(1.4 / 4 N) of itself
    assert values.std().item() == pytest.approx(0.3, rel=5 * math.sqrt(1.4 / (4 * NUM)))


def test_a_normal_draw_and_none_at_all():
    assert spread("normal", 0.3) == Normal(0.0, 0.3)
    for name in ("normal", "uniform", "truncated_normal"):
        assert spread(name, 0.0) == Constant(0.0)


def test_the_variance_is_power_over_fan():
    assert scaled(CONV, "normal", 2.0, 8.0) == Normal(0.0, 0.5)
    assert scaled(CONV, "normal", 2.0, 0.0) == Constant(0.0)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0])
def test_the_gain_of_a_leaky_relu_is_torchs(slope):
    expected = nn.init.calculate_gain("leaky_relu", slope)
    assert resolve_gain(None, "leaky_relu", slope, "second_moment") == pytest.approx(expected)
    assert resolve_gain(None, "leaky_relu", slope, "backward") == pytest.approx(expected)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_the_centred_gain_is_one_over_the_deviation(slope):
    def moment(power):
        f = lambda z: (z if z > 0 else slope * z) ** power * stats.norm.pdf(z)  # noqa: E731
        return integrate.quad(f, -12, 12, points=[0])[0]

    expected = (moment(2) - moment(1) ** 2) ** -0.5
    assert resolve_gain(None, "relu", slope, "centred") == pytest.approx(expected, rel=1e-6)


def test_a_gain_that_is_given_stays_and_one_by_name_is_looked_up():
    assert resolve_gain(1.7, "tanh", None, "torch") == 1.7
    assert resolve_gain(None, "relu", None, "second_moment") == pytest.approx(math.sqrt(2))
    for name in ("tanh", "relu", "selu"):
        assert resolve_gain(None, name, None, "torch") == pytest.approx(nn.init.calculate_gain(name))
    with pytest.raises(UsageError, match=r"negative slope a = 0\.1"):
        resolve_gain(None, "tanh", 0.1, "second_moment")
