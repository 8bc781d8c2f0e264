"""What a draw promises: the mean and variance of its elements in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initium.random.distributions import (
    Blocks,
    Constant,
    Draw,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)


@dataclass(frozen=True, slots=True)
class Law:
    """Mean and variance of one element."""

    mean: float
    var: float

    @property
    def std(self) -> float:
        """Standard deviation."""
        return math.sqrt(self.var)


def law(draw: Draw) -> Law | None:
    """The law of the elements of `draw`; None for structured tensors and for differing blocks."""
    match draw:
        case Constant(value):
            return Law(value, 0.0)
        case Uniform(low, high):
            return Law((low + high) / 2, (high - low) ** 2 / 12)
        case Normal(mean, std):
            return Law(mean, std * std)
        case Orthogonal():
            return Law(0.0, draw.gain**2 / max(draw.rows, draw.cols, 1))
        case TruncatedNormal():
            return _truncated(draw)
        case Integers(low, high):
            count = high - low
            return Law((low + high - 1) / 2, (count * count - 1) / 12)
        case Blocks():  # q, k and v by one method have one law, gains that differ by block have none
            laws = {law(part) for part in draw.draws}
            return laws.pop() if len(laws) == 1 else None
        case _:
            return None


def _truncated(draw: TruncatedNormal) -> Law:
    shift, shrink = truncation(draw.low, draw.high)
    parent = draw.std / shrink if draw.corrected else draw.std
    return Law(draw.mean + shift * parent, (parent * shrink) ** 2)


def truncation(low: float, high: float) -> tuple[float, float]:
    """Mean and standard deviation of a standard normal cut to [low, high]; (-2, 2): (0, .8796)."""

    def density(z: float) -> float:
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    sign = 1.0
    if high < 0:  # erfc keeps its digits on the right side only
        low, high, sign = -high, -low, -1.0
    mass = (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2))) / 2
    mean = (density(low) - density(high)) / mass
    edges = [z * density(z) if math.isfinite(z) else 0.0 for z in (low, high)]
    return sign * mean, math.sqrt(max(1 + (edges[0] - edges[1]) / mass - mean * mean, 0.0))
