"""What theory says of one value, against Monte Carlo of that value."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from initium.predict.signal import Signal, from_law, normal_law, scaled
from initium.theory.laws import gaussian

COUNT = 400_000


def test_a_normal_law_has_its_moments() -> None:
    law = normal_law(0.6, 2.0)
    assert law is not None
    assert (law.mean, law.second) == (pytest.approx(0.6, rel=1e-6), pytest.approx(2.0, rel=1e-6))
    assert normal_law(1.0, 1.0) is None  # a constant has no spread


@pytest.mark.parametrize("function", [torch.relu, torch.tanh, torch.square, lambda v: F.leaky_relu(v, 0.2)])
def test_the_variance_of_the_log_is_that_of_draws(function: Callable[[Tensor], Tensor]) -> None:
    """Of means over n values of f(z), z ~ N(0, q e^s) with s of variance c: to the second order in both.

    The sampling error of a variance over N draws is sqrt(2/N) of it; 5 of those, and 5 % for the orders left out.
    """
    q, carried, values, draws = 1.5, 0.01, 1000, 2000
    x = Signal(q, carried=carried, values=values, law=gaussian(q), root=0)
    y = from_law(x, gaussian(q).map(function))
    sizes = torch.exp(torch.randn(draws, 1) * math.sqrt(carried))
    seen = function(torch.randn(draws, values) * (q * sizes).sqrt()).square().mean(1)
    assert y.second == pytest.approx(
        float(seen.mean()), rel=5 * float(seen.std()) / math.sqrt(draws) / y.second + 2e-3
    )
    assert y.variance == pytest.approx(float(seen.log().var()), rel=5 * math.sqrt(2 / draws) + 0.05)


def test_a_new_root_carries_what_the_old_one_left_open() -> None:
    x = Signal(1.0, carried=0.01, values=100, law=gaussian(1.0), root=3, drawn=3)
    y = from_law(x, gaussian(1.0).map(torch.relu), root=7)
    assert (y.root, y.drawn, y.values) == (7, 3, math.inf)
    assert y.carried == pytest.approx(x.variance) == pytest.approx(0.01 + 2 / 100, rel=1e-3)


@pytest.mark.parametrize(("mean", "second"), [(2.0, 4.0), (-0.5, 0.25), (1.0, 3.0)])
def test_a_factor_multiplies_both_moments(mean: float, second: float) -> None:
    x = Signal(1.25, mean=0.5, law=normal_law(0.5, 1.25))
    y = scaled(x, mean, second)
    assert (y.second, y.mean) == (pytest.approx(1.25 * second), pytest.approx(0.5 * mean))
    assert y.law is not None
    assert y.law.second == pytest.approx(1.25 * second, rel=1e-6)
    assert math.copysign(1.0, y.law.mean) == math.copysign(1.0, mean)


def test_without_a_law_the_variance_is_what_was_carried() -> None:
    assert Signal(2.0, carried=0.3, values=4).variance == 0.3
