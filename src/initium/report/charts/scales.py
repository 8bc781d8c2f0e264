"""Axes: from data to pixels, and where the ticks go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FARTHEST = 1e260
"""Largest value, and one over the smallest, at which an axis can end."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps data between `low` and `high` to pixels between `start` and `end`.

    Args:
        low: smallest value shown.
        high: largest value shown.
        start: pixel of `low`.
        end: pixel of `high`; smaller than `start` on an axis that points up.
        log: whether equal ratios are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`, held within the axis."""
        low, high = self._inner(self.low), self._inner(self.high)
        if value != value or (self.log and value <= 0):
            return self.start
        if math.isinf(value):
            return self.end if value > 0 else self.start
        share = (self._inner(value) - low) / (high - low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether `value` has a place of its own on the axis."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def ticks(self, count: int = 5) -> list[float]:
        """About `count` round values within the axis."""
        if not self.log:
            return _round_values(self.low, self.high, count)
        first, last = math.log10(self.low), math.log10(self.high)
        if last - first < 1.5:
            ticks = [m * 10.0**e for e in range(math.floor(first), math.ceil(last) + 1) for m in (1, 2, 5)]
            inside = [tick for tick in ticks if self.low <= tick <= self.high]
            return inside if len(inside) > 1 else _round_values(self.low, self.high, count)
        step = _decade_step((last - first) / count)
        return [10.0**e for e in range(math.ceil(first / step) * step, math.floor(last) + 1, step)]

    def _inner(self, value: float) -> float:
        return math.log10(value) if self.log else value


def scale_for(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    log: bool = False,
    zero: bool = False,
    tight: bool = False,
) -> Scale:
    """An axis on which all `values` fit with a little room; values without a place on it are ignored.

    Args:
        values: the data.
        start: pixel of the low end.
        end: pixel of the high end.
        log: logarithmic.
        zero: a linear axis that starts at zero.
        tight: no room at the ends (for the horizontal axis of lines).
    """
    seen = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low, high = (_held(min(seen), log=log), _held(max(seen), log=log)) if seen else (0.1, 1.0)
    if log:
        return _log_scale(low, high, start, end, tight=tight)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    size = max(abs(low), abs(high))
    if high - low <= max(size * 1e-12, 1 / FARTHEST):
        half = size / 2 if size > 1 / FARTHEST else 0.5
        low, high = low - half, high + half
    room = 0.0 if tight else (high - low) * 0.05
    return Scale(low if zero and low == 0 else low - room, high + room, start, end)


def _held(value: float, *, log: bool) -> float:
    """`value`, no nearer to the ends of the floats than axes can be computed."""
    return max(value, 1 / FARTHEST) if log and value < 1 else max(-FARTHEST, min(FARTHEST, value))


def _log_scale(low: float, high: float, start: float, end: float, *, tight: bool) -> Scale:
    """At least one decade, so that a flat line looks flat."""
    first, last = math.log10(low), math.log10(high)
    if last - first < 1:
        middle = (first + last) / 2
        first, last = middle - 0.5, middle + 0.5
    elif not tight:
        room = (last - first) * 0.05
        first, last = first - room, last + room
    return Scale(10.0**first, 10.0**last, start, end, log=True)


def tick_labels(ticks: Sequence[float]) -> list[tuple[str, str]]:
    """Ticks as (text, exponent): ("0.5", "") or ("10", "-6"); one form for the whole axis.

    >>> tick_labels([0.001, 1, 1000]), tick_labels([1e-6, 1, 1e6])
    ([('0.001', ''), ('1', ''), ('1,000', '')], [('10', '-6'), ('1', ''), ('10', '6')])
    """
    sizes = [abs(tick) for tick in ticks if tick != 0]
    plain = not sizes or (min(sizes) > 0.9e-3 and max(sizes) < 1.1e5)
    return [(f"{tick:,.10g}", "") if plain else _power(tick) for tick in ticks]


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near the wanted ones, in their order, `gap` apart or more, within low..high if they fit."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [min(max(wanted[i], low), high) for i in order]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    if placed and placed[-1] > high:
        placed[-1] = high
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    result = [0.0] * len(wanted)
    for position, i in zip(placed, order, strict=True):
        result[i] = position
    return result


def _power(value: float) -> tuple[str, str]:
    if value in (0, 1):
        return f"{value:.0f}", ""
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = value / 10.0**exponent
    return ("10" if math.isclose(mantissa, 1) else f"{mantissa:.3g} x 10"), str(exponent)


def _decade_step(wanted: float) -> int:
    return next((step for step in (1, 2, 3, 5, 10, 20, 50) if step >= wanted), 100)


def _round_values(low: float, high: float, count: int) -> list[float]:
    raw = (high - low) / max(count, 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]
