"""An activation known only by what it did to some numbers."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.theory.gains import Moments

_FEWEST = 16
_CELLS = 4096
_REACH = 9.0
_STRAIGHT = 1e-5


class Sampled:
    """A pointwise function drawn through pairs (x, f(x)): straight between them, and on beyond the ends.

    Args:
        x: arguments, in any order; the more and the wider, the better.
        y: what the function made of them, one each.

    Raises:
        UsageError: too few or not finite pairs, or one argument with two values (not pointwise).

    Example:
        >>> import torch
        >>> x = torch.linspace(-6, 6, 601)
        >>> round(Sampled(x, torch.relu(x)).moments(1.0).s, 4)
        0.5
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        if x.numel() != y.numel() or not bool(torch.isfinite(x).all() & torch.isfinite(y).all()):
            raise _unusable(f"{x.numel()} arguments and {y.numel()} values, or some that are not finite")
        order = x.detach().cpu().double().flatten().argsort(stable=True)
        xs, ys = x.detach().cpu().double().flatten()[order], y.detach().cpu().double().flatten()[order]
        self._x, index, count = torch.unique_consecutive(xs, return_inverse=True, return_counts=True)
        if len(self._x) < _FEWEST:
            raise _unusable(f"{len(self._x)} different arguments")
        zeros = torch.zeros_like(self._x)
        self._y = zeros.index_add(0, index, ys) / count
        spread = (ys - self._y[index]).abs().max()
        if float(spread) > 1e-3 * float(ys.abs().max()):
            raise _unusable("two values for one argument")
        self._slope = self._y.diff() / self._x.diff()

    def __call__(self, z: Tensor) -> Tensor:
        """The interpolated values."""
        index = (torch.searchsorted(self._x, z.detach().contiguous()) - 1).clamp(0, len(self._slope) - 1)
        value: Tensor = self._y[index] + self._slope[index] * (z - self._x[index])
        return value

    @cached_property
    def homogeneous(self) -> bool:
        """Whether f(a z) = a f(z) for every a > 0, as of ReLU and its leaky kin: a line on either side of zero.

        Example:
            >>> x = torch.linspace(-6, 6, 601)
            >>> [Sampled(x, f(x)).homogeneous for f in (torch.relu, torch.tanh)]
            [True, False]
        """
        lines = [self._slope[side] for side in (self._x[1:] <= 0, self._x[:-1] >= 0)]
        flat = all(bool((line - line.mean()).abs().max() < _STRAIGHT) for line in lines if len(line))
        return flat and bool(self(torch.zeros(1, dtype=torch.float64, device="cpu")).abs() < _STRAIGHT)

    def reflected(self, sign: float) -> Sampled:
        """The samples of f(z) + sign f(-z)."""
        x = torch.cat([self._x, -self._x])
        return Sampled(x, self(x) + sign * self(-x))

    def shifted(self, shift: float) -> Sampled:
        """The samples of f(z + shift)."""
        return Sampled(self._x - shift, self._y)

    def moments(self, q: float) -> Moments:
        """Moments under N(0, q) on an even grid: as exact as pairs can be, without hunting their kinks."""
        edges = torch.linspace(-_REACH, _REACH, _CELLS + 1, dtype=torch.float64, device="cpu")
        middle = (edges[1:] + edges[:-1]) / 2
        weight = torch.exp(-middle * middle / 2)
        weight /= weight.sum()
        scale = math.sqrt(q)
        value, ends = self(middle * scale), self(edges * scale)
        slope = ends.diff() / (edges.diff() * scale)
        m, s, d = (float((t * weight).sum()) for t in (value, value * value, slope * slope))
        return Moments(m, s, max(s - m * m, 0.0), d)


def _unusable(seen: str) -> UsageError:
    return UsageError(
        f"samples of an activation: {seen}",
        expected=f"at least {_FEWEST} finite pairs of a pointwise function",
        remedy="pass the activation itself, or its inputs and outputs in one run",
    )
