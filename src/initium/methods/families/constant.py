"""Values that depend on nothing but their parameters: constants and plain distributions."""

from __future__ import annotations

import math

from initium.methods.kit.layout import fixed
from initium.methods.method import EVERYTHING, Method, Paper, Param, refuse
from initium.random.distributions import Constant, Draw, Normal, TruncatedNormal, Uniform
from initium.theory.layer import Layer

_EARLY = Paper("Rumelhart, Hinton, Williams", 1986, "Learning representations by back-propagating errors")


def zeros(layer: Layer) -> Draw:
    """W = 0: right for biases, branch ends and scale shifts; in a hidden weight it blocks learning.

    Every unit of a zero layer computes the same value and receives the same gradient, and the layer
    below receives none. Two zero layers in a row stay zero for ever.
    """
    del layer
    return Constant(0.0)


def ones(layer: Layer) -> Draw:
    """W = 1: right for the gains of norms and for multipliers."""
    del layer
    return Constant(1.0)


def constant(layer: Layer, *, value: float) -> Draw:
    """W = value."""
    del layer
    return Constant(value)


def values(layer: Layer, *, values: tuple[float, ...]) -> Draw:
    """W_i = values[i], in C order: numbers that were measured, such as the shift of every unit."""
    size = math.prod(layer.shape)
    if len(values) != size:
        expected = f"one value for each of its {size} elements, not {len(values)}"
        raise refuse("values", layer, expected, instead="constant, if all are the same")
    return fixed(values)


def uniform(layer: Layer, *, low: float, high: float) -> Draw:
    """W ~ U(low, high): mean (low + high) / 2, variance (high - low)^2 / 12."""
    del layer
    return Uniform(low, high)


def normal(layer: Layer, *, mean: float, std: float) -> Draw:
    """W ~ N(mean, std^2)."""
    del layer
    return Normal(mean, std)


def truncated_normal(
    layer: Layer, *, mean: float, std: float, low: float, high: float, bounds: str, corrected: bool
) -> Draw:
    """A normal cut at `low` and `high`.

    bounds="sigma": the cuts are in standard deviations of the parent, as in JAX and TensorFlow.
    bounds="absolute": they are values, as in `torch.nn.init.trunc_normal_`, where std = 0.02 with
    the default cuts of 2 is therefore never cut at all. With `corrected`, `std` is the standard
    deviation of what is drawn, not of the parent: TN_2 has .8796 of its parent's.
    """
    del layer
    # Draws are cut in standard deviations, of which a std of 0 has none.
    if bounds == "absolute" and std > 0:
        low, high = (low - mean) / std, (high - mean) / std
    return TruncatedNormal(mean, std, low, high, corrected) if std > 0 else Constant(mean)


_NORMAL_STD = Param("std", 1.0, "standard deviation", low=0.0)
_MEAN = Param("mean", 0.0, "mean")

METHODS = (
    Method(
        "zeros",
        "constant",
        "Every element 0.",
        (),
        EVERYTHING,
        _EARLY,
        zeros,
        aliases=("zero", "zero_init"),
    ),
    Method("ones", "constant", "Every element 1.", (), EVERYTHING, _EARLY, ones, aliases=("one",)),
    Method(
        "constant",
        "constant",
        "Every element the same value.",
        (Param("value", 0.0, "the value"),),
        EVERYTHING,
        _EARLY,
        constant,
        aliases=("const", "fill"),
    ),
    Method(
        "values",
        "constant",
        "Every element its own given number.",
        (Param("values", (), "one number an element, in C order"),),
        EVERYTHING,
        _EARLY,
        values,
        aliases=("given",),
        whole=True,
    ),
    Method(
        "uniform",
        "constant",
        "Uniform between two bounds.",
        (Param("low", 0.0, "lower bound"), Param("high", 1.0, "upper bound")),
        EVERYTHING,
        _EARLY,
        uniform,
    ),
    Method(
        "normal",
        "constant",
        "Normal with a given mean and standard deviation.",
        (_MEAN, _NORMAL_STD),
        EVERYTHING,
        _EARLY,
        normal,
        aliases=("gaussian",),
    ),
    Method(
        "truncated_normal",
        "constant",
        "Normal cut on both sides.",
        (
            _MEAN,
            _NORMAL_STD,
            Param("low", -2.0, "lower cut"),
            Param("high", 2.0, "upper cut"),
            Param("bounds", "sigma", "unit of the cuts", choices=("sigma", "absolute")),
            Param("corrected", True, "std is that of the cut normal, not of its parent"),
        ),
        EVERYTHING,
        _EARLY,
        truncated_normal,
        aliases=("trunc_normal",),
    ),
)
