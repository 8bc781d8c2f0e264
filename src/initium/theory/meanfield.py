"""Mean-field theory of plain networks: where an activation neither amplifies nor damps gradients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from initium.errors import UsageError
from initium.theory.gains import Activation, Moments, function_of, moments
from initium.theory.sampled import Sampled


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


@dataclass(frozen=True, slots=True)
class Dials:
    """How the weights and biases of one layer z = W f(z') + b are drawn.

    Args:
        w: variance of a weight times fan_in (the squared gain).
        centring: fraction c of its mean that is taken off every row of W.
        b: variance of the biases.
    """

    w: float
    centring: float = 0.0
    b: float = 0.0


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A variance that a deep stack of equal layers keeps.

    Args:
        q: variance of the pre-activations.
        slope: derivative of the variance map there; it forgets disturbances below 1, amplifies them above.
        chi: factor on the mean square of gradients per layer, w E f'^2.
    """

    q: float
    slope: float
    chi: float

    @property
    def stable(self) -> bool:
        """Whether nearby variances come back to it."""
        return abs(self.slope) < 1.0


def moments_of(f: Activation | Sampled, q: float) -> Moments:
    """`gains.moments`, and the same for samples of a function."""
    return f.moments(q) if isinstance(f, Sampled) else moments(f, q)


def variance_map(f: Activation | Sampled, q: float, dials: Dials) -> float:
    """Variance of the next pre-activation: w (v + (1 - c)^2 m^2) + b, for z ~ N(0, q).

    Example:
        >>> round(variance_map("relu", 3.0, Dials(w=2.0)), 9)
        3.0
    """
    return dials.w * _power(moments_of(f, q), dials.centring) + dials.b


def correlation_map(f: Activation | Sampled, rho: float, q: float, dials: Dials) -> float:
    """Correlation of the next pre-activations of two inputs whose present ones correlate by `rho`.

    Args:
        f: the activation.
        rho: present correlation, in [-1, 1].
        q: variance of both pre-activations.
        dials: the layer.

    Example:
        >>> round(correlation_map("relu", 0.0, 1.0, Dials(w=2.0)), 4)
        0.3183
    """
    at = moments_of(f, q)
    lost = (1 - (1 - dials.centring) ** 2) * at.m**2
    return (dials.w * (product_mean(f, rho, q) - lost) + dials.b) / variance_map(f, q, dials)


def product_mean(f: Activation | Sampled, rho: float, q: float) -> float:
    """E f(z1) f(z2) for z1, z2 ~ N(0, q) of correlation `rho`, to about 1e-5 for kinked functions."""
    if not -1.0 <= rho <= 1.0:
        raise UsageError(f"correlation {rho}", expected="a number in [-1, 1]", remedy="clip it")
    function = f if isinstance(f, Sampled) else function_of(f)
    node = torch.linspace(
        -8.5, 8.5, 802, dtype=torch.float64, device="cpu"
    )  # even: a kink at 0 falls between nodes
    weight = torch.exp(-node * node / 2)
    weight /= weight.sum()
    along, across = (node * math.sqrt(q * (1 + sign * rho) / 2) for sign in (1, -1))
    with torch.no_grad():
        first = function(along[:, None] + across[None, :])
        second = function(along[:, None] - across[None, :])
    return float(weight @ (first * second) @ weight)


def fixed_points(f: Activation | Sampled, dials: Dials) -> tuple[FixedPoint, ...]:
    """Every fixed point of the variance map between q = 1e-4 and 1e4, the smallest first.

    A homogeneous f with w E f^2 = q keeps every variance: then q = 1 is returned.
    """
    grid = [10 ** (exponent / 8) for exponent in range(-32, 33)]
    surplus = [math.log(max(variance_map(f, q, dials), 1e-300) / q) for q in grid]
    if max(abs(x) for x in surplus) < 1e-8:
        return (_fixed_point(f, 1.0, dials),)
    crossed = [i for i in range(len(grid) - 1) if (surplus[i] <= 0) != (surplus[i + 1] <= 0)]
    return tuple(_fixed_point(f, _crossing(f, dials, grid[i], grid[i + 1]), dials) for i in crossed)


def _crossing(f: Activation | Sampled, dials: Dials, low: float, high: float) -> float:
    below = variance_map(f, low, dials) <= low
    for _ in range(40):
        middle = math.sqrt(low * high)
        if (variance_map(f, middle, dials) <= middle) == below:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def _fixed_point(f: Activation | Sampled, q: float, dials: Dials) -> FixedPoint:
    step = 1.02
    rise = variance_map(f, q * step, dials) - variance_map(f, q / step, dials)
    return FixedPoint(q, rise / (q * step - q / step), dials.w * moments_of(f, q).d)


def _power(at: Moments, centring: float) -> float:
    return at.v + (1 - centring) ** 2 * at.m**2
