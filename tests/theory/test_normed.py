from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.theory.nets import SAMPLES, logs, within
from torch import nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.theory.criticality import rates
from initium.theory.gains import ACTIVATIONS
from initium.theory.normed import DIAL_STEP, FURTHEST, gain_for, growth, shift_for

SMOOTH = ("gelu", "silu", "tanh", "sigmoid", "softplus", "sin")


def relu_moments(shift: float) -> tuple[float, float, float]:
    """(E f, E f^2, E f'^2) of ReLU at z + s: P = Phi(s), s P + phi(s), (1 + s^2) P + s phi(s)."""
    below = 0.5 * math.erfc(-shift / math.sqrt(2))
    density = math.exp(-shift * shift / 2) / math.sqrt(2 * math.pi)
    return shift * below + density, (1 + shift * shift) * below + shift * density, below


def bend(shift: float) -> float:
    mean, second, slope = relu_moments(shift)
    return math.log(slope / (second - mean * mean))


def test_relu_behind_batch_norm_has_its_published_limit():
    """Yang+ 2019, 1902.08129: pi / (pi - 1) for large batches, whatever the gain."""
    for gain in (0.1, 1.0, 3.0):
        assert growth("relu", gain=gain) == pytest.approx(math.pi / (math.pi - 1), rel=1e-9)
        assert growth("relu", gain=gain, over="units") == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, -0.5])
def test_shifts_have_their_closed_forms(shift):
    mean, second, slope = relu_moments(shift)
    assert growth("relu", shift=shift) == pytest.approx(slope / (second - mean**2), rel=1e-9)
    assert growth("relu", shift=shift, over="units") == pytest.approx(slope / second, rel=1e-9)
    assert growth("relu", gain=2.0, shift=2 * shift) == pytest.approx(math.exp(bend(shift)), rel=1e-9)
    assert growth(lambda z: 3 * z, shift=shift) == pytest.approx(1.0, rel=1e-9)


def test_sines_have_closed_forms_in_the_gain():
    """f = sin, q = g^2: E f^2 = (1 - e^-2q) / 2, E f'^2 = (1 + e^-2q) / 2, so chi = q coth q.

    The table is of chords 5e-3 long: of the curvature sin'' <= 1 they miss 5e-3^2 / 12 = 2e-6.
    """
    for gain in (0.2, 0.5, 1.0, 1.5):
        for over in ("samples", "units"):
            assert growth("sin", gain=gain, over=over) == pytest.approx(
                gain**2 / math.tanh(gain**2), rel=1e-5
            )


@pytest.mark.parametrize("gain", [0.4, 1.0, 1.7])
@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_growth_is_that_of_a_norm_by_autograd(gain, shift):
    """chi = g^2 E f'^2 / Var f, or over E f^2, by torch's own tanh and its gradient on a grid of normal quantiles."""
    u = torch.special.ndtri((torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000)
    x = u.requires_grad_()
    f = torch.tanh(gain * x + shift)
    (slope,) = torch.autograd.grad(f.sum(), x)  # g f'
    second, mean = f.detach().square().mean().item(), f.detach().mean().item()
    power = slope.square().mean().item()
    assert growth("tanh", gain=gain, shift=shift, over="units") == pytest.approx(power / second, rel=2e-4)
    assert growth("tanh", gain=gain, shift=shift) == pytest.approx(power / (second - mean**2), rel=2e-4)


@pytest.mark.parametrize("name", SMOOTH)
def test_over_samples_it_is_the_bend_of_a_chain_without_mean(name):
    """z ~ N(0, g^2) behind a norm of gain g is z ~ N(0, q) behind rows without mean."""
    for gain in (0.3, 1.0):
        assert math.log(growth(name, gain=gain)) == pytest.approx(rates(name, gain**2).log_chi, rel=1e-3)


@settings(max_examples=25)
@given(st.floats(0.1, 3), st.floats(-1, 1), st.floats(0.1, 2), st.floats(-2, 2))
def test_over_samples_gradients_never_shrink(bend, tilt, gain, shift):
    """Poincare's inequality, to the accuracy of tables."""
    f = lambda z: z * torch.sigmoid(bend * z) + tilt * torch.sin(z)  # noqa: E731
    assert growth(f, gain=gain, shift=shift) >= 1 - 1e-5
    assert growth(f, gain=gain, shift=shift, over="units") <= growth(f, gain=gain, shift=shift)


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4, 0.1])
def test_the_shift_is_the_least_that_is_enough(share):
    shift = shift_for("relu", share)
    assert bend(shift) <= share * bend(0.0) < bend(shift - DIAL_STEP)
    assert shift_for("relu", 0.0) == FURTHEST


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("share", [0.7, 0.2])
def test_the_gain_is_the_largest_that_is_enough(name, share):
    gain, whole = gain_for(name, share), math.log(growth(name))
    assert math.log(growth(name, gain=gain)) <= share * whole < math.log(growth(name, gain=gain + DIAL_STEP))
    assert gain_for(name, 0.0) == DIAL_STEP


@pytest.mark.parametrize("function", [torch.tanh, torch.sin, lambda z: z, torch.zeros_like])
def test_what_bends_most_away_from_zero_is_not_shifted(function):
    assert shift_for(function, 0.5) == 0.0


@pytest.mark.parametrize("function", [torch.relu, F.leaky_relu, torch.abs, lambda z: z, torch.ones_like])
def test_homogeneous_and_constant_functions_keep_their_gain(function):
    assert gain_for(function, 0.5) == 1.0


def test_what_does_not_grow_over_units_is_left_alone():
    assert (shift_for("relu", 0.5, over="units"), gain_for("sigmoid", 0.5, over="units")) == (0.0, 1.0)
    assert 0 < shift_for("gelu", 0.5, over="units") < 0.2  # a mean soon holds gradients down


def test_wrong_uses_are_told():
    with pytest.raises(UsageError, match="norm gain 0"):
        growth("relu", gain=0.0)
    with pytest.raises(UsageError, match="'batch'"):
        growth("relu", over="batch")
    with pytest.raises(UsageError, match="without variation"):
        growth(torch.ones_like)
    with pytest.raises(UsageError, match="pointwise"):
        growth(lambda z: torch.softmax(z, -1))


WIDTH, DEPTH, NETS = 256, 8, 12


class Layer(nn.Module):
    """A norm of that gain and shift, a function, a weight."""

    def __init__(self, norm: nn.Module, name: str, gain: float, shift: float) -> None:
        super().__init__()
        self.norm, self.f, self.weight = norm, ACTIVATIONS[name], nn.Linear(WIDTH, WIDTH, bias=False)
        nn.init.normal_(self.weight.weight, std=WIDTH**-0.5)
        if not isinstance(norm, nn.RMSNorm):
            nn.init.constant_(norm.bias, shift)
        nn.init.constant_(norm.weight, gain)

    def forward(self, x):
        return self.weight(self.f(self.norm(x)))


CASES = [
    ("batch", "relu", 1.0, 0.0),
    ("batch", "relu", 1.0, 0.7),
    ("batch", "gelu", 0.4, 0.0),
    ("batch", "tanh", 0.5, 0.3),
    ("batch", "sigmoid", 1.0, 0.0),
    ("layer", "relu", 1.0, 0.0),
    ("layer", "relu", 1.0, 0.5),
    ("layer", "tanh", 1.0, 0.0),
    ("layer", "gelu", 0.5, 0.2),
    ("rms", "silu", 0.6, 0.0),
]


@pytest.mark.parametrize(("kind", "name", "gain", "shift"), CASES)
def test_real_nets_grow_as_predicted(kind, name, gain, shift):
    """The mean log growth over 12 nets, of gradients in units of the signal there, within 4 of its standard errors.

    To this comes what theory leaves out: a batch of B adds log((B - 2) / (B - 3)) a layer, a width of n about 2 / n.
    """
    norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "rms": nn.RMSNorm}
    over = "samples" if kind == "batch" else "units"
    make = lambda: nn.Sequential(*[Layer(norms[kind](WIDTH), name, gain, shift) for _ in range(DEPTH)])  # noqa: E731
    signals, gradients = logs(make, WIDTH, NETS, centred=kind == "batch")
    expected = DEPTH * math.log(growth(name, gain=gain, shift=shift, over=over))
    bias = DEPTH * (2 / WIDTH + math.log((SAMPLES - 2) / (SAMPLES - 3)))
    assert within(gradients - signals, expected, bias=bias)


def test_a_small_batch_adds_what_is_published():
    """Yang+ 2019: (B - 2) / (B - 3) a layer for linear f in wide nets.

    The first norm meets independent samples, of (B - 1) / B of the variance of those later on, and the last gradient
    loses as much: it has a mean over the batch.
    """
    batch, deep = 8, range(DEPTH)
    make = lambda: nn.Sequential(*[Layer(nn.BatchNorm1d(WIDTH), "identity", 1.0, 0.0) for _ in deep])  # noqa: E731
    _, gradients = logs(make, WIDTH, 40, samples=batch)
    assert within(gradients, DEPTH * math.log((batch - 2) / (batch - 3)), bias=DEPTH * 2 / WIDTH)
