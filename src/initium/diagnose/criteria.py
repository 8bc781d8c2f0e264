"""The definition of healthy: a few measured quantities, each with a limit, and how far each is from it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from initium.diagnose.measures import Measures

Level = Literal["good", "warning", "error", "unknown"]
Scale = Literal["decades", "share", "none"]

WARN = 0.95
"""Share of a limit from which on a criterion is a warning."""
FREE = 0.5
"""Share of a limit up to which a criterion adds nothing to the badness."""
CAP = 10.0
"""The most that one criterion adds."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One quantity of the definition of healthy.

    Args:
        name: stable name.
        meaning: what is measured, in words.
        value: what was measured; None where it could not be.
        limit: the largest (or with `low`, the smallest) sound value.
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
        return "error" if self.used > 1 else "warning" if self.used > WARN else "good"

    @property
    def badness(self) -> float:
        """0 up to half of the limit, 1 at the limit, 10 at most."""
        if self.used is None:
            return 0.0
        return min(max(self.used - FREE, 0.0) / (1 - FREE), CAP)


def criteria_of(measures: Measures) -> tuple[Criterion, ...]:
    """Every criterion, measured."""
    signal, unaided = [point.second for point in measures.points], [value for _, value in measures.unaided]
    rows: tuple[tuple[str, str, float | None, float, Scale], ...] = (
        ("smallest signal", "least second moment that a block receives", min(unaided, default=None), 1e-3, "decades"),
        ("largest signal", "greatest second moment that a block receives", max(signal, default=None), 1e3, "decades"),
        ("signal span", "decades from the least to the greatest, norms left out", measures.span, 3.0, "share"),
        ("gradient span", "decades from the least to the greatest S = |x dL/dx|", measures.gradient_span, 2.5, "share"),
        ("output size", "root mean square of the largest head output", measures.output_rms, 10.0, "decades"),
        ("between samples", "share of the last features that differs by sample", measures.between, 1e-3, "decades"),
        ("dead units", "share of rectified units that are zero everywhere", measures.dead, 0.5, "share"),
        ("zero gradient", "share of the weights that cannot start to move", measures.zero_gradient, 0.05, "share"),
        ("twins", "share of the weights in rows that stay equal to another row", measures.twins, 0.05, "share"),
        ("not finite", "share of the weighted operations with nan or inf", measures.not_finite, 0.0, "none"),
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
    if not 0 < value < math.inf:
        return math.inf if (value > 0) == (limit > 1) else 0.0
    return max(math.log10(value) / math.log10(limit), 0.0)
