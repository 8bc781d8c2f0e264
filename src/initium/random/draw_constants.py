"""A distribution as the numbers that both back ends compute with: the one place where they are made."""

from __future__ import annotations

import functools
import math
import struct
from enum import IntEnum
from typing import NamedTuple

from initium.errors import UsageError
from initium.random import exact
from initium.random.distributions import Integers, Normal, TruncatedNormal, Uniform

_CUT_WORDS = 2**31  # a truncated draw spends 31 bits
_LARGEST_NORMAL = 6.67  # Box-Muller on 31 bits ends at sqrt(64 ln 2) = 6.661 standard deviations
_NEAR, _CENTRAL = 2.05, 3.05  # bounds within which simpler forms of the quantile are enough
_FAR = 11.0  # nearest bound beyond which the mass is too small for fp32


class Kind(IntEnum):
    """What to make of the random words; all but the last two are also the kernel's."""

    WORDS = 0
    UNIFORM = 1
    NORMAL = 2
    CUT_NEAR = 3
    CUT = 4
    CUT_FAR = 5
    TAIL = 6
    INTEGERS = 7


class Recipe(NamedTuple):
    """Constants of one distribution.

    Args:
        kind: which transform.
        p: fp32 numbers; their meaning is told at each transform (kernel.c, torch_path.py).
        last: of the 2**31 words of a cut normal, the last that falls below zero; -1 if none does.
        whole: low and width of a range of integers.
        packed: all of this as the kernel reads it.
    """

    kind: Kind
    p: tuple[float, ...]
    last: int = -1
    whole: tuple[int, int] = (0, 0)
    packed: bytes = b""


@functools.lru_cache(maxsize=1024)
def recipe(draw: Uniform | Normal | TruncatedNormal | Integers) -> Recipe:
    """The constants of `draw`."""
    if isinstance(draw, Integers):
        return Recipe(Kind.INTEGERS, (), whole=(draw.low, draw.high - draw.low))
    try:
        if isinstance(draw, Uniform):
            return uniform(draw.low, draw.high)
        if isinstance(draw, Normal):
            return normal(draw.mean, draw.std)
        std = draw.std
        if draw.corrected:
            std /= math.sqrt(exact.cut(draw.low, draw.high).var)
        return cut_normal(draw.mean, std, draw.low, draw.high)
    except OverflowError:
        raise UsageError(
            f"{draw!r} reaches beyond the range of fp32",
            expected="values below 3.4e38: every draw is made in fp32",
            remedy="draw at a smaller scale and multiply the tensor afterwards",
        ) from None


@functools.lru_cache(maxsize=1024)
def uniform(low: float, high: float) -> Recipe:
    """Uniform on [low, high)."""
    ends = exact.fp32_up(low), exact.fp32_below(high) if high > low else exact.fp32(high)
    return _make(Kind.UNIFORM, 0.5 * high - 0.5 * low, 0.5 * low + 0.5 * high, *_ends(*ends, low))


@functools.lru_cache(maxsize=1024)
def normal(mean: float, std: float) -> Recipe:
    """Normal."""
    return _make(Kind.NORMAL, std, mean)


@functools.lru_cache(maxsize=1024)
def cut_normal(mean: float, std: float, low: float, high: float) -> Recipe:
    """Normal cut to [low, high], all in standard deviations of the uncut one, whose `std` this is."""
    if low <= -_LARGEST_NORMAL and high >= _LARGEST_NORMAL:
        return normal(mean, std)
    if max(low, -high) > _FAR:
        return _far_tail(mean, std, low, high)
    below, shape = _sides(low, high)
    widest = max(-low, high)
    kind = Kind.CUT_NEAR if widest <= _NEAR else Kind.CUT if widest <= _CENTRAL else Kind.CUT_FAR
    return _make(kind, std, mean, *_bounds(mean, std, low, high), *shape, last=below - 1)


def _sides(low: float, high: float) -> tuple[int, tuple[float, ...]]:
    """How many words fall below zero; then what p[4:] of a cut normal is.

    That is start and slope of e = P(|Z| > |z|) over words counted from the ends of the interval, below zero
    and above, and the start of 1 - e over words counted from its inner end.
    """
    outer = 2 * exact.tail(abs(low)), 2 * exact.tail(abs(high))
    if low >= 0:
        return 0, (0.0, 0.0, outer[1], (outer[0] - outer[1]) / _CUT_WORDS, _inside(low))
    if high <= 0:
        return _CUT_WORDS, (outer[0], (outer[1] - outer[0]) / _CUT_WORDS, 0.0, 0.0, _inside(-high))
    below = round(_CUT_WORDS * (1 - outer[0]) / (2 - outer[0] - outer[1]))
    below = min(max(below, 1), _CUT_WORDS - 1)
    return below, (outer[0], (1 - outer[0]) / below, outer[1], (1 - outer[1]) / (_CUT_WORDS - below), 0.0)


def _inside(z: float) -> float:
    return 2 * exact.cut(0.0, z).mass if z > 0 else 0.0


def _far_tail(mean: float, std: float, low: float, high: float) -> Recipe:
    """An interval that lies wholly beyond _FAR: excess over its inner bound, near exponential."""
    sign, inner, outer = (1.0, low, high) if low > 0 else (-1.0, -high, -low)
    bounds = _bounds(mean, std, low, high)
    return _make(Kind.TAIL, sign * std, mean + sign * std * inner, *bounds, inner, exact.share(inner, outer))


def _bounds(mean: float, std: float, low: float, high: float) -> tuple[float, float]:
    inside = mean + std * min(max(0.0, low), high)
    lowest = -math.inf if low == -math.inf else exact.fp32_up(mean + std * low)
    return _ends(lowest, math.inf if high == math.inf else exact.fp32_down(mean + std * high), inside)


def _ends(low: float, high: float, inside: float) -> tuple[float, float]:
    """Bounds of the result; where no fp32 number lies between them, the nearest one for both."""
    return (low, high) if low <= high else (exact.fp32(inside), exact.fp32(inside))


def _make(kind: Kind, *p: float, last: int = -1) -> Recipe:
    numbers = struct.pack("=10f", *(x + 0.0 for x in p), *(0.0,) * (10 - len(p)))  # no negative zeros
    return Recipe(kind, struct.unpack("=10f", numbers), last, packed=numbers + struct.pack("=2i", last, kind))
