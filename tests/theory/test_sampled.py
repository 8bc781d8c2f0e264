from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initium.errors import UsageError
from initium.theory.gains import ACTIVATIONS, moments
from initium.theory.sampled import Sampled

X = torch.linspace(-12, 12, 2401, dtype=torch.float64)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "sigmoid", "softplus", "hardtanh"])
@pytest.mark.parametrize("q", [0.05, 1.0, 4.0])
def test_moments_are_those_of_the_function(name, q):
    """Pairs 0.01 apart: chords differ from a bend of 1 by 1e-5, and slopes at a kink in one cell of 0.05."""
    found, true = Sampled(X, ACTIVATIONS[name](X)).moments(q), moments(name, q)
    assert [found.m, found.s, found.d] == pytest.approx([true.m, true.s, true.d], rel=5e-3, abs=1e-4)


@given(st.integers(0, 2**31))
def test_order_and_repeats_do_not_matter(seed):
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(seed))
    twice = torch.cat([X[order], X[:100]]).float()
    z = torch.linspace(-14, 14, 57, dtype=torch.float64)
    assert torch.allclose(Sampled(twice, torch.sin(twice))(z), Sampled(X, torch.sin(X))(z), atol=1e-4)


def test_reflections_and_shifts():
    f, z = Sampled(X, torch.nn.functional.silu(X)), torch.linspace(-5, 5, 41, dtype=torch.float64)
    assert torch.allclose(f.reflected(-1.0)(z), z, atol=1e-4)  # silu(z) - silu(-z) = z
    assert torch.allclose(f.reflected(1.0)(z), z * torch.tanh(z / 2), atol=1e-4)
    assert torch.allclose(f.shifted(2.0)(z), torch.nn.functional.silu(z + 2), atol=1e-4)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X[:10], X[:10]),
        (X, X[:-1]),
        (X, torch.where(X > 0, float("nan"), X)),
        (torch.cat([X, X]), torch.cat([X, -X])),
    ],
)
def test_pairs_that_are_no_function_say_so(x, y):
    with pytest.raises(UsageError, match="samples"):
        Sampled(x, y)


@pytest.mark.parametrize("omega", [1.0, 3.0, 30.0])
@pytest.mark.parametrize("wave", [torch.sin, torch.cos, lambda z: torch.sin(z) + 0.5 * torch.sin(2 * z)])
def test_periods(omega, wave):
    x = torch.linspace(-16, 16, 6401, dtype=torch.float64)
    assert Sampled(x, wave(omega * x)).period == pytest.approx(2 * math.pi / omega, rel=1e-3)


@pytest.mark.parametrize(
    "f", [torch.tanh, torch.relu, torch.zeros_like, lambda z: z + torch.sin(z), lambda z: torch.exp(-z * z), torch.sinc,
          lambda z: torch.sin(z * z), lambda z: torch.sin(0.3 * z)]
)  # fmt: skip
def test_functions_without_a_period_on_the_samples(f):
    x = torch.linspace(-16, 16, 6401, dtype=torch.float64)
    assert Sampled(x, f(x)).period is None
