"""Mean-field theory of plain networks: where an activation neither amplifies nor damps gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initium.errors import UsageError
from initium.theory.gains import Activation, moments


@dataclass(frozen=True, slots=True)
class CriticalPoint:
    """A point on the edge of chaos of an infinitely wide plain network.

    Args:
        sigma_w: standard deviation of the weights times sqrt(fan_in).
        sigma_b: standard deviation of the biases.
        q: variance of the pre-activations at the fixed point.
    """

    sigma_w: float
    sigma_b: float
    q: float


def edge_of_chaos(f: Activation, sigma_b: float) -> CriticalPoint:
    """The sigma_w at which gradients keep their size: chi = sigma_w^2 E f'(z)^2 = 1.

    z ~ N(0, q) at the fixed point q = sigma_w^2 E f(z)^2 + sigma_b^2. Eliminating sigma_w leaves
    q - E f^2 / E f'^2 = sigma_b^2, solved for the smallest q. For a homogeneous f (ReLU) the left
    side is 0 everywhere: sigma_b must be 0, and q = 1 is returned.

    Raises:
        UsageError: no such point, as for sigmoid, whose mean drives correlations to 1.

    Reference: Poole et al. (2016), arXiv:1606.05340; Schoenholz et al. (2016), arXiv:1611.01232.

    Example:
        >>> round(edge_of_chaos("tanh", 0.05 ** 0.5).sigma_w ** 2, 2)
        1.76
    """
    grid = [10 ** (exponent / 8) for exponent in range(-40, 17)]
    surplus = [_surplus(f, q) - sigma_b**2 for q in grid]
    if sigma_b == 0 and max(abs(x) / q for x, q in zip(surplus, grid, strict=True)) < 1e-9:
        return CriticalPoint(1 / math.sqrt(moments(f).d), 0.0, 1.0)
    for i in range(len(grid) - 1):
        if surplus[i] < 0 <= surplus[i + 1]:
            q = _bisect(f, sigma_b**2, grid[i], grid[i + 1])
            return CriticalPoint(1 / math.sqrt(moments(f, q).d), sigma_b, q)
    raise UsageError(
        f"no critical point of {f if isinstance(f, str) else 'this activation'} at sigma_b = {sigma_b}",
        expected="an activation and a bias variance that meet on the edge of chaos",
        remedy="use sigma_b = 0 for ReLU-like functions, a small sigma_b for tanh-like ones",
    )


def _surplus(f: Activation, q: float) -> float:
    at = moments(f, q)
    return q - at.s / at.d if at.d > 0 else -math.inf


def _bisect(f: Activation, target: float, low: float, high: float) -> float:
    for _ in range(50):
        middle = math.sqrt(low * high)
        if _surplus(f, middle) < target:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)
