from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import nn

from initium.errors import UnknownNameError, UsageError
from initium.theory.gains import ACTIVATIONS, gain, moments

# forward, centred and backward gains as an independent quadrature gave them, to 4 places
TABLE = {
    "identity": (1, 1, 1),
    "relu": (1.4142, 1.7129, 1.4142),
    "leaky_relu": (1.4141, 1.7048, 1.4141),
    "elu": (1.2452, 1.2708, 1.2234),
    "celu": (1.2452, 1.2708, 1.2234),
    "selu": (1.0000, 1.0000, 0.9660),
    "gelu": (1.5335, 1.7009, 1.4811),
    "gelu_tanh": (1.5336, 1.7009, 1.4812),
    "quick_gelu": (1.5395, 1.7094, 1.4915),
    "silu": (1.6765, 1.7872, 1.6233),
    "mish": (1.4868, 1.5920, 1.4448),
    "hardswish": (1.7367, 1.8139, 1.6701),
    "tanh": (1.5925, 1.5925, 1.4674),
    "sigmoid": (1.8462, 4.8013, 4.7226),
    "softplus": (1.0419, 1.9191, 1.8462),
    "softsign": (2.3375, 2.3375, 2.0958),
    "relu6": (1.4142, 1.7129, 1.4142),
    "hardtanh": (1.3920, 1.3920, 1.2103),
    "relu_squared": (0.8165, 0.8944, 0.7071),
    "sin": (1.5209, 1.5209, 1.3273),
}


@pytest.mark.parametrize("name", TABLE)
def test_gains_agree_with_the_table(name):
    found = [gain(name, convention=c) for c in ("second_moment", "centred", "backward")]
    assert found == pytest.approx(TABLE[name], abs=6e-5)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
@pytest.mark.parametrize("q", [0.01, 1.0, 25.0])
def test_moments_agree_with_plain_summation(name, q):
    """A midpoint sum over a million points is an independent oracle, good to 1e-5 at a kink."""
    z = (np.arange(1_000_000) + 0.5) * 24e-6 - 12
    weight = torch.from_numpy(np.exp(-z * z / 2) / math.sqrt(2 * math.pi) * 24e-6)
    x = torch.from_numpy(z * math.sqrt(q)).requires_grad_()
    y = ACTIVATIONS[name](x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    y = y.detach()
    found = moments(name, q)
    expected = [(t * weight).sum().item() for t in (y, y * y, slope * slope)]
    assert [found.m, found.s, found.d] == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert found.v == pytest.approx(found.s - found.m**2, rel=1e-9, abs=1e-12)


@example(at=0.7109416515332225, left=0.0, right=1.0)
@example(at=0.999, left=0.0, right=1.0)
@given(at=st.floats(-3, 3), left=st.floats(-2, 2), right=st.floats(-2, 2))
def test_a_kink_anywhere_is_found(at, left, right):
    """f(x) = slope (x - at), the slope changing at `at`: the normal integrals are known."""
    found = moments(lambda x: torch.where(x > at, right * (x - at), left * (x - at)))
    below = 0.5 * math.erfc(-at / math.sqrt(2))
    density = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    second_above = (1 + at * at) * (1 - below) - at * density
    assert found.d == pytest.approx(left**2 * below + right**2 * (1 - below), abs=1e-8)
    assert found.s == pytest.approx(
        right**2 * second_above + left**2 * (1 + at * at - second_above), abs=1e-8
    )


def test_relu_is_exact():
    assert moments("relu").s == pytest.approx(0.5, abs=1e-12)
    assert gain("relu") == pytest.approx(math.sqrt(2), abs=1e-12)
    assert gain("relu", convention="centred") == pytest.approx(1 / math.sqrt(0.5 - 0.5 / math.pi), abs=1e-9)


def test_any_callable_is_good_enough():
    assert gain(nn.PReLU(init=0.25)) == pytest.approx(math.sqrt(2 / (1 + 0.25**2)))
    assert gain(nn.ReLU(inplace=True)) == pytest.approx(math.sqrt(2))
    assert gain(nn.Sigmoid().half()) == pytest.approx(TABLE["sigmoid"][0], abs=1e-4)
    assert gain(lambda x: torch.tanh(2 * x) / 2) == pytest.approx(2 / math.sqrt(moments("tanh", 4.0).s))


@pytest.mark.parametrize("name", ["identity", "linear", "relu", "leaky_relu", "tanh", "sigmoid", "selu"])
def test_torch_convention_is_torch(name):
    theirs = "linear" if name == "identity" else name
    assert gain(name, convention="torch") == pytest.approx(nn.init.calculate_gain(theirs))


@pytest.mark.parametrize(
    "f", [lambda x: torch.softmax(x, -1), nn.GLU(), nn.Dropout(), nn.RReLU(), torch.log, lambda x: x.sum()]
)
def test_what_has_no_gain_says_why(f):
    with pytest.raises(UsageError, match="pointwise"):
        gain(f)


def test_a_constant_function_has_no_gain():
    with pytest.raises(UsageError, match="not constant"):
        gain(torch.sign, convention="backward")


def test_wrong_names():
    with pytest.raises(UnknownNameError, match="did you mean gelu"):
        gain("gelo")
    with pytest.raises(UnknownNameError, match="centred"):
        gain("relu", convention="centered")
    with pytest.raises(UsageError, match="torch knows no other"):
        gain("gelu", convention="torch")
    with pytest.raises(UsageError, match="positive"):
        moments("relu", 0.0)


def test_functions_of_another_shape_or_dtype_are_refused_in_three_parts():
    with pytest.raises(UsageError, match="raised RuntimeError"):
        gain(nn.PReLU(8))
    with pytest.raises(UsageError, match=r"float64 into torch\.float32"):
        gain(lambda z: torch.tanh(z.float()))
