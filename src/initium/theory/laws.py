"""Laws of one value under mean-field theory: a pointwise function of a Gaussian root, as weighted points.

Every law holds its values twice, at the planned scale of its root and at one a little larger: their difference tells
how the law answers to a disturbance of the signal's scale, and the derivative of the function that made it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

ROOT_STEP = 1e-4
"""Relative growth of the root between the two rows of a law."""
_LARGEST_ROOT, _POINTS = 7.0, 700
_BINS = 96


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """The law of a value x = f(z).

    Args:
        values: (2, P) float64: f at the root's points, and at the points times 1 + ROOT_STEP.
        weights: (P,), they add up to 1.
        roots: (P,) the points z themselves.
    """

    values: Tensor
    weights: Tensor
    roots: Tensor

    @property
    def mean(self) -> float:
        """E x."""
        return float(self.values[0] @ self.weights)

    @property
    def second(self) -> float:
        """E x^2."""
        return float(self.values[0].square() @ self.weights)

    @property
    def excess(self) -> float:
        """Var(x^2) / (E x^2)^2: the relative variance of one squared value; 2 for a Gaussian."""
        squares = self.values[0].square()
        second = float(squares @ self.weights)
        return max(float((squares / second).square() @ self.weights) - 1.0, 0.0) if second > 0 else 0.0

    @property
    def slope(self) -> float:
        """D log E x^2 / d log q, for q the variance of the root: 1 for ReLU, less for a function that saturates."""
        low, high = (float(row.square() @ self.weights) for row in self.values)
        return math.log(high / low) / (2 * math.log1p(ROOT_STEP)) if low > 0 and high > 0 else 0.0

    @property
    def gain(self) -> float:
        """E f'(z)^2."""
        return float(self._slopes @ self.weights)

    @property
    def gain_excess(self) -> float:
        """Var(f'(z)^2) / (E f'(z)^2)^2: 1 for ReLU, 0 for a linear function."""
        squares = self._slopes
        gain = float(squares @ self.weights)
        return max(float(squares.square() @ self.weights) / gain**2 - 1.0, 0.0) if gain > 0 else 0.0

    @property
    def gain_slope(self) -> float:
        """D log E f'(z)^2 / d log q, for a Gaussian root: E f'^2 (z^2 / q - 1) / 2 E f'^2; 0 for ReLU."""
        squares, q = self._slopes, float(self.roots.square() @ self.weights)
        gain = float(squares @ self.weights)
        if gain <= 0 or q <= 0:
            return 0.0
        return float((squares * (self.roots.square() / q - 1)) @ self.weights) / (2 * gain)

    @property
    def _slopes(self) -> Tensor:
        """f'(z)^2 at the points; 0 where the root is 0 and tells nothing."""
        rise = (self.values[1] - self.values[0]) / (ROOT_STEP * self.roots)
        return torch.where(self.roots != 0, rise, 0.0).square()

    def map(self, f: Callable[[Tensor], Tensor]) -> Law:
        """The law of f(x)."""
        return Law(f(self.values), self.weights, self.roots)

    def join(self, other: Law, f: Callable[[Tensor, Tensor], Tensor]) -> Law:
        """The law of f(x, y) for two functions of one root."""
        return Law(f(self.values, other.values), self.weights, self.roots)

    def odd(self) -> Law | None:
        """The law of f(z) - f(-z), which mirrored weights see in place of f; None where the roots are not even.

        Example:
            >>> round(gaussian(2.0).map(torch.relu).odd().second, 6)
            2.0
        """
        points = min(_POINTS, len(self.weights))
        if len(self.weights) % points:
            return None
        back = self.roots.reshape(-1, points).flip(-1).flatten()
        if not torch.allclose(self.roots, -back):
            return None
        twin = self.values.reshape(2, -1, points).flip(-1).flatten(1)
        return Law(self.values - twin, self.weights, self.roots)

    def rooted(self) -> Law:
        """The same law with its value as the root."""
        value = self.values[0]
        return Law(torch.stack([value, value * (1 + ROOT_STEP)]), self.weights, value)

    def scaled(self, second: float) -> Law:
        """The law times a constant, so that E x^2 is `second`."""
        factor = math.sqrt(second / self.second) if self.second > 0 else 1.0
        return self.map(lambda x: x * factor)


def gaussian(q: float, spread: float = 0.0) -> Law:
    """N(0, q), or a mixture of such over inputs of different size.

    Args:
        q: mean of the variance.
        spread: relative variance of the variance over inputs, (E x^4 / 3 (E x^2)^2) - 1; a lognormal law is taken.

    Example:
        >>> law = gaussian(2.0).map(torch.relu)
        >>> round(law.second, 6), round(law.slope, 6), round(law.gain, 6)
        (1.0, 1.0, 0.5)
    """
    z, density = _normal()
    if spread <= 0:
        root, weights = z * math.sqrt(q), density
    else:
        node, share = _hermite()
        width = math.log1p(spread)
        size = torch.exp(math.sqrt(width) * node - width / 2)
        root = (z[None, :] * torch.sqrt(q * size / (size @ share))[:, None]).flatten()
        weights = (share[:, None] * density[None, :]).flatten()
    return Law(torch.stack([root, root * (1 + ROOT_STEP)]), weights, root)


def independent(first: Law, second: Law, f: Callable[[Tensor, Tensor], Tensor]) -> Law:
    """The law of f(x, y) for independent x and y, as a new root.

    Example:
        >>> added = independent(gaussian(1.0), gaussian(2.0), torch.add)
        >>> round(added.second, 3), round(added.excess)
        (3.0, 2)
    """
    x, y = _quantiles(first), _quantiles(second)
    value = f(x[:, None], y[None, :]).flatten()
    weights = torch.full_like(value, 1 / value.numel())
    return Law(torch.stack([value, value]), weights, value).rooted()


def apart(first: Law, second: Law, f: Callable[[Tensor, Tensor], Tensor]) -> Law:
    """The law of f(x, y) for functions of two independent values that share their size, as halves of one output do.

    Example:
        >>> halves = gaussian(1.0, spread=1.0)
        >>> round(apart(halves, halves, torch.mul).second, 2), round(independent(halves, halves, torch.mul).second, 2)
        (2.0, 1.0)
    """
    sizes = len(first.weights) // _POINTS
    if sizes < 2 or len(first.weights) != sizes * _POINTS or len(second.weights) != len(first.weights):
        return independent(first, second, f)
    pairs = zip(_by_size(first), _by_size(second), strict=True)
    shares = first.weights.reshape(-1, _POINTS).sum(1).tolist()
    return mixture([independent(x, y, f) for x, y in pairs], shares)


def _by_size(law: Law) -> Iterator[Law]:
    """The laws at each size of a mixture over inputs of different size."""
    for start in range(0, len(law.weights), _POINTS):
        here = slice(start, start + _POINTS)
        yield Law(law.values[:, here], law.weights[here] / law.weights[here].sum(), law.roots[here])


def mixture(laws: list[Law], shares: list[float]) -> Law:
    """The law of a value drawn from one of several, as a new root."""
    value = torch.cat([law.values[0] for law in laws])
    weights = torch.cat([law.weights * share for law, share in zip(laws, shares, strict=True)])
    return Law(torch.stack([value, value]), weights / weights.sum(), value).rooted()


def _quantiles(law: Law) -> Tensor:
    """Means of equally likely parts, with the law's own mean and second moment."""
    order = law.values[0].argsort()
    value, weight = law.values[0][order], law.weights[order]
    edges = torch.cat([torch.zeros(1, dtype=value.dtype), weight.cumsum(0)])
    sums = torch.cat([torch.zeros(1, dtype=value.dtype), (weight * value).cumsum(0)])
    cuts = torch.linspace(0, 1, _BINS + 1, dtype=value.dtype) * edges[-1]
    at = _interpolate(cuts, edges, sums)
    parts = at.diff() / cuts.diff()
    mean = parts.mean()
    wanted, found = law.second - float(mean) ** 2, float((parts - mean).square().mean())
    return mean + (parts - mean) * math.sqrt(max(wanted, 0.0) / found) if found > 0 else parts


def _interpolate(x: Tensor, known_x: Tensor, known_y: Tensor) -> Tensor:
    index = torch.searchsorted(known_x, x).clamp(1, len(known_x) - 1)
    low, high = known_x[index - 1], known_x[index]
    share = ((x - low) / (high - low).clamp_min(1e-300)).clamp(0, 1)
    return known_y[index - 1] + share * (known_y[index] - known_y[index - 1])


@lru_cache(maxsize=1)
def _normal() -> tuple[Tensor, Tensor]:
    """Midpoints and weights of a standard normal: 0, where many activations have their kink, lies between two."""
    edges = torch.linspace(-_LARGEST_ROOT, _LARGEST_ROOT, _POINTS + 1, dtype=torch.float64, device="cpu")
    z = (edges[1:] + edges[:-1]) / 2
    density = torch.exp(-z * z / 2)
    density /= density.sum()
    return z / torch.sqrt(z.square() @ density), density


@lru_cache(maxsize=1)
def _hermite() -> tuple[Tensor, Tensor]:
    node, share = np.polynomial.hermite_e.hermegauss(7)
    return torch.from_numpy(node), torch.from_numpy(share / share.sum())
