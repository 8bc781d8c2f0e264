"""An activation known only by what it did to some numbers."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.theory.gains import Activation, Moments, checked, function_of

_LEAST_PAIRS = 16
_STRAIGHT = 1e-5
_TABLE = 16.0
_FEWEST_PERIODS, _SAME_AGAIN = 4, 0.05


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
        if len(self._x) < _LEAST_PAIRS:
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

    @cached_property
    def period(self) -> float | None:
        """The T > 0 with f(z + T) = f(z) for all z, as of sines, if the samples hold four of them; else None.

        Example:
            >>> x = torch.linspace(-16, 16, 6401)
            >>> round(Sampled(x, torch.sin(30 * x)).period or 0, 4), Sampled(x, torch.tanh(x)).period
            (0.2094, None)
        """
        least, most = float(self._y.min()), float(self._y.max())
        above = self._y > (least + most) / 2
        rises = self._x[1:][above[1:] & ~above[:-1]]
        if len(rises) < _FEWEST_PERIODS:
            return None
        period = float(rises[-1] - rises[0]) / (len(rises) - 1)
        early = self._x[self._x <= self._x[-1] - period]
        apart = float((self(early + period) - self(early)).abs().max())
        return period if apart <= _SAME_AGAIN * (most - least) else None

    def reflected(self, sign: float) -> Sampled:
        """The samples of f(z) + sign f(-z)."""
        x = torch.cat([self._x, -self._x])
        return Sampled(x, self(x) + sign * self(-x))

    def shifted(self, shift: float) -> Sampled:
        """The samples of f(z + shift)."""
        return Sampled(self._x - shift, self._y)

    def moments(self, q: float, shift: float = 0.0) -> Moments:
        """Moments of f(z + shift) for z ~ N(0, q): those of the lines between pairs, in closed form.

        On a cell from a to b, in standard deviations, the density has the moments P = Phi(b) - Phi(a),
        phi(a) - phi(b) and P + a phi(a) - b phi(b).

        Example:
            >>> x = torch.linspace(-16, 16, 6401)
            >>> round(Sampled(x, torch.relu(x)).moments(1.0, shift=1.0).d, 6)  # Phi(1)
            0.841345
        """
        scale = math.sqrt(q)
        edges = (self._x - shift) / scale
        slope = self._slope * scale
        level = self._y[:-1] - slope * edges[:-1]
        zero, one, two = _partial(edges)
        m = float(level @ zero + slope @ one)
        s = float(level.square() @ zero + 2 * (level * slope) @ one + slope.square() @ two)
        d = float(self._slope.square() @ zero)
        return Moments(m, s, max(s - m * m, 0.0), d)


def tabulated(f: Activation | Sampled) -> Sampled:
    """A table of f from -16 to 16, many times faster to integrate than f itself; exact where f is made of lines.

    Args:
        f: an activation, by name or callable; samples are passed on.

    Raises:
        UsageError: unknown name, or f is not pointwise, deterministic and finite.

    Example:
        >>> round(tabulated("tanh").moments(1.0).s, 4)
        0.3943
    """
    if isinstance(f, Sampled):
        return f
    x = torch.linspace(-_TABLE, _TABLE, 6401, dtype=torch.float64, device="cpu")
    with torch.no_grad():
        return Sampled(x, checked(function_of(f))(x))


def _partial(edges: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Integrals of 1, z and z^2 against the normal density over every cell; the outer ones reach to infinity."""
    density = torch.exp(-0.5 * edges.square()) / math.sqrt(2 * math.pi)
    below, bend = torch.special.ndtr(edges), edges * density
    for ends, first, last in ((below, 0.0, 1.0), (density, 0.0, 0.0), (bend, 0.0, 0.0)):
        ends[0], ends[-1] = first, last
    zero = below.diff()
    return zero, -density.diff(), zero - bend.diff()


def _unusable(seen: str) -> UsageError:
    return UsageError(
        f"samples of an activation: {seen}",
        expected=f"at least {_LEAST_PAIRS} finite pairs of a pointwise function",
        remedy="pass the activation itself, or its inputs and outputs in one run",
    )
