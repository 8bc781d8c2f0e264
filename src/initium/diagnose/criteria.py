"""The definition of healthy: a few measured quantities, each with a limit, and how far each is from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from initium.diagnose import limits
from initium.diagnose.measures import Measures

Level = Literal["good", "warning", "error", "unknown"]
Scale = Literal["decades", "share", "none"]

LOWER_BOUNDS = ("smallest signal", "between samples")
"""The criteria whose limit is the smallest sound value."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One quantity of the definition of healthy.

    Args:
        name: stable name.
        meaning: what is measured, in words.
        value: what was measured; None where it could not be.
        limit: the largest sound value; of those in `LOWER_BOUNDS` the smallest.
        used: how much of the limit is used up, 1 at the limit, on the scale on which the quantity acts.
    """

    name: str
    meaning: str
    value: float | None
    limit: float
    used: float | None

    @property
    def level(self) -> Level:
        """`good`, `warning` close to the limit, `error` beyond it, `unknown` if it could not be measured."""
        if self.used is None:
            return "unknown"
        return "error" if self.used > 1 else "warning" if self.used > limits.WARNING_ONSET else "good"

    @property
    def badness(self) -> float:
        """0 up to half of the limit, 1 at the limit, 10 at most."""
        if self.used is None:
            return 0.0
        onset = limits.BADNESS_ONSET
        return min(max(self.used - onset, 0.0) / (1 - onset), limits.BADNESS_CAP)


def criteria_of(measures: Measures) -> tuple[Criterion, ...]:
    """Every criterion, measured."""
    signal, unrestored = [point.second for point in measures.points], [one for _, one in measures.unrestored]
    rows: tuple[tuple[str, str, float | None, float, Scale], ...] = (
        ("smallest signal", "least second moment that a block receives",
         min(unrestored, default=None), limits.LEAST_SECOND, "decades"),
        ("largest signal", "greatest second moment that a block receives",
         max(signal, default=None), limits.GREATEST_SECOND, "decades"),
        ("signal span", "decades from the least to the greatest, norms left out",
         measures.signal_span, limits.SIGNAL_DECADES, "share"),
        ("gradient span", "decades from the least to the greatest S = |x dL/dx|",
         measures.gradient_span, limits.GRADIENT_DECADES, "share"),
        ("output size", "root mean square of the largest head output",
         measures.output_rms, limits.OUTPUT_RMS, "decades"),
        ("between samples", "share of the second moment of the last features that differs between samples",
         measures.between, limits.BETWEEN_SHARE, "decades"),
        ("dead units", "share of rectified units that are zero everywhere",
         measures.dead, limits.DEAD_SHARE, "share"),
        ("zero gradient", "share of the weights that cannot start to move",
         measures.zero_gradient, limits.ZERO_GRADIENT_SHARE, "share"),
        ("duplicate units", "share of the weights in rows that stay equal to another row",
         measures.duplicate_share, limits.DUPLICATE_SHARE, "share"),
        ("not finite", "share of the weighted operations with nan or inf",
         measures.not_finite, limits.NOT_FINITE_SHARE, "none"),
    )  # fmt: skip
    return tuple(
        Criterion(name, meaning, value, limit, None if value is None else _used(value, limit, scale))
        for name, meaning, value, limit, scale in rows
    )


def badness_of(criteria: Iterable[Criterion]) -> float:
    """Sum over the criteria; 0 for a perfect start, at least 1 for an unhealthy one."""
    return sum(criterion.badness for criterion in criteria)


def _used(value: float, limit: float, scale: Scale) -> float:
    """How much of its limit a value has used up; decades are counted from 1."""
    if scale == "none":
        return math.inf if value > 0 else 0.0
    if scale == "share":
        return value / limit
    # Zero and infinity have no logarithm: they are beyond the limit on their side, and far from the other.
    if not 0 < value < math.inf:
        return math.inf if (value > 0) == (limit > 1) else 0.0
    return max(math.log10(value) / math.log10(limit), 0.0)
