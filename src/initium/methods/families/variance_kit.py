"""What the variance-scaling methods share: fans, gains, distributions and their parameters."""

from __future__ import annotations

import math

from initium.errors import UsageError
from initium.methods.method import Param
from initium.random.distributions import Constant, Draw, Normal, TruncatedNormal, Uniform
from initium.theory.fans import Fans, fans, torch_fans
from initium.theory.gains import gain as quadrature_gain
from initium.theory.layer import Layer

FANS = Param(
    "fans",
    "effective",
    "effective (groups, stride, transposition, padding), unpadded (the same without padding), or torch",
    choices=("effective", "unpadded", "torch"),
)
FAN_MODE = Param(
    "mode",
    "fan_in",
    "which fan: fan_in keeps the signal, fan_out the gradient",
    choices=("fan_in", "fan_out", "fan_avg", "fan_geo"),
)
GAIN = Param("gain", 1.0, "factor on the standard deviation", low=0.0)
GAIN_OR_AUTO = Param("gain", None, "factor on the std; from nonlinearity when not given", low=0.0)
NONLINEARITY = Param("nonlinearity", "relu", "the activation that feeds the layer, by name")
SLOPE = Param("a", None, "negative slope of a leaky ReLU", low=0.0)
CONVENTION = Param(
    "convention",
    "second_moment",
    "how the gain is defined",
    choices=("second_moment", "centred", "backward", "torch"),
)
DISTRIBUTION = Param(
    "distribution", "normal", "shape of the draw", choices=("normal", "truncated_normal", "uniform")
)


def fans_of(layer: Layer, convention: str) -> Fans:
    """The fans by one of the conventions of `FANS`."""
    # torch's fans ignore groups and stride; a vector has none at all, and falls back to ours.
    if convention == "torch" and len(layer.shape) >= 2:
        fan_in, fan_out = torch_fans(layer.shape)
        return Fans(float(fan_in), float(fan_out))
    return fans(layer, padding=convention == "effective")


def pick(both: Fans, mode: str) -> float:
    """One fan of the two."""
    return {
        "fan_in": both.fan_in,
        "fan_out": both.fan_out,
        "fan_avg": both.mean,
        "fan_geo": both.geometric,
    }[mode]


def spread(distribution: str, std: float) -> Draw:
    """A zero-mean draw of exactly this standard deviation; the normal one may be cut at 2 sigma."""
    if std == 0:
        return Constant(0.0)
    if distribution == "uniform":
        bound = math.sqrt(3) * std
        return Uniform(-bound, bound)
    if distribution == "truncated_normal":
        return TruncatedNormal(0.0, std, -2.0, 2.0, True)
    return Normal(0.0, std)


def scaled(layer: Layer, distribution: str, power: float, fan: float) -> Draw:
    """A draw of variance power / fan; an empty tensor or an empty fan draws nothing."""
    del layer
    return spread(distribution, math.sqrt(power / fan) if fan > 0 else 0.0)


def resolve_gain(gain: float | None, nonlinearity: str, a: float | None, convention: str) -> float:
    """The gain given, or that of the nonlinearity, or sqrt(2 / (1 + a^2)) for a leaky ReLU."""
    if gain is not None:
        return gain
    if a is None:
        return quadrature_gain(nonlinearity, convention=convention)  # type: ignore[arg-type]
    if nonlinearity not in ("relu", "leaky_relu"):
        raise UsageError(
            f"negative slope a = {a} with nonlinearity {nonlinearity!r}",
            expected='"leaky_relu", the only one with a slope',
            remedy="drop a, or pass gain=",
        )
    if convention == "centred":
        # Var f = E f^2 - (E f)^2 of a leaky ReLU at z ~ N(0, 1).
        mean = (1 - a) / math.sqrt(2 * math.pi)
        return 1 / math.sqrt((1 + a * a) / 2 - mean * mean)
    return math.sqrt(2 / (1 + a * a))
