"""The few functions of the normal distribution that a draw's constants need, without libm.

Only +, -, *, / and sqrt of doubles, which every machine rounds alike: the C library's exp and erf differ
in the last bit from one system to the next, and a constant that differs would change every draw.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import NamedTuple

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SQRT_2PI = 2.5066282746310002
_GAUSS_NODES = (-0.9061798459386640, -0.5384693101056831, 0.0, 0.5384693101056831, 0.9061798459386640)
_GAUSS_WEIGHTS = (
    0.236926885056189,
    0.478628670499366,
    0.568888888888889,
    0.478628670499366,
    0.236926885056189,
)
_PANELS = 40
_NEGLIGIBLE = 92.0  # exp(-92 / 2) = 1e-20 of the peak


class Cut(NamedTuple):
    """A standard normal cut to an interval: the mass left, and mean and variance of what is left."""

    mass: float
    mean: float
    var: float


def exp(x: float) -> float:
    """e**x to about 1e-16, for x <= 0."""
    if x < -708:
        return 0.0
    k = round(x * 1.4426950408889634)
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    total = 1.0
    for n in range(14, 0, -1):
        total = 1.0 + total * r / n
    return math.ldexp(total, k)


def tail(z: float) -> float:
    """P(Z > z) of a standard normal Z, z >= 0."""
    return 0.0 if z == math.inf else _peak(z) * _side(z, math.inf)[0]


@functools.lru_cache(maxsize=512)
def cut(low: float, high: float) -> Cut:
    """Moments of a standard normal cut to [low, high], low < high."""
    if low >= 0:
        mass, first, second = _side(low, high - low)
        mean = first / mass
        return Cut(_peak(low) * mass, low + mean, second / mass - mean * mean)
    if high <= 0:
        mirrored = cut(-high, -low)
        return mirrored._replace(mean=-mirrored.mean)
    left, right = _side(0.0, -low), _side(0.0, high)
    mass = left[0] + right[0]
    mean = (right[1] - left[1]) / mass
    return Cut(mass / _SQRT_2PI, mean, (left[2] + right[2]) / mass - mean * mean)


def share(low: float, high: float) -> float:
    """P(Z < high | Z > low) of a standard normal Z, 0 <= low < high, however far out."""
    return 1.0 if high == math.inf else _side(low, high - low)[0] / _side(low, math.inf)[0]


def fp32(x: float) -> float:
    """The fp32 number nearest to `x`."""
    return float(struct.unpack("<f", struct.pack("<f", x))[0])


def fp32_up(x: float) -> float:
    """The least fp32 number that is not below `x`."""
    near = fp32(x)
    return near if near >= x else _next_fp32(near)


def fp32_down(x: float) -> float:
    """The greatest fp32 number that is not above `x`."""
    return -fp32_up(-x)


def fp32_below(x: float) -> float:
    """The greatest fp32 number below `x`."""
    down = fp32_down(x)
    return down if down < x else -_next_fp32(-down)


def _peak(z: float) -> float:
    return exp(-0.5 * z * z) / _SQRT_2PI


def _side(start: float, width: float) -> tuple[float, float, float]:
    """Integrals of 1, x and x**2 over x in [0, width] against exp(-x (x + 2 start) / 2), start >= 0."""
    width = min(width, _NEGLIGIBLE / (math.sqrt(start * start + _NEGLIGIBLE) + start))
    half = 0.5 * width / _PANELS
    sums = [0.0, 0.0, 0.0]
    for panel in range(_PANELS):
        for node, weight in zip(_GAUSS_NODES, _GAUSS_WEIGHTS, strict=True):
            x = (2 * panel + 1 + node) * half
            part = weight * half * exp(-0.5 * x * (x + 2 * start))
            sums[0] += part
            sums[1] += part * x
            sums[2] += part * x * x
    return sums[0], sums[1], sums[2]


def _next_fp32(x: float) -> float:
    if x == 0:
        return 2.0**-149
    bits = struct.unpack("<i", struct.pack("<f", x))[0]
    return float(struct.unpack("<f", struct.pack("<i", bits + (1 if x > 0 else -1)))[0])
