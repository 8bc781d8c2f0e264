"""Variance scaling: independent elements whose variance undoes the fan and the activation."""

from __future__ import annotations

import math

from initium.methods.families.variance_kit import (
    CONVENTION,
    DISTRIBUTION,
    FAN_MODE,
    FANS,
    GAIN,
    GAIN_OR_AUTO,
    NONLINEARITY,
    SLOPE,
    fans_of,
    pick,
    resolve_gain,
    scaled,
)
from initium.methods.method import EVERYTHING, WEIGHTS, Method, Paper, Param, refuse
from initium.random.distributions import Draw, Normal, Uniform
from initium.theory.fans import torch_fans
from initium.theory.layer import Layer

_LECUN = Paper("LeCun, Bottou, Orr, Mueller", 1998, "Efficient BackProp")
_GLOROT = Paper("Glorot, Bengio", 2010, "Understanding the difficulty of training deep feedforward networks")
_HE = Paper("He, Zhang, Ren, Sun", 2015, "Delving Deep into Rectifiers", "1502.01852")
_PYTORCH = Paper("the PyTorch authors", 2016, "reset_parameters of torch.nn.Linear and Conv, after LuaTorch")


def _xavier(layer: Layer, distribution: str, gain: float, convention: str, fans: str) -> Draw:
    both = fans_of(layer, fans)
    return scaled(layer, distribution, gain * gain, both.mean if convention == "glorot" else both.fan_in)


def xavier_normal(layer: Layer, *, gain: float, convention: str, fans: str) -> Draw:
    """Normal, Var W = 2 gain^2 / (fan_in + fan_out): a compromise of signal and gradient.

    For linear and tanh layers of nearly equal width. convention="caffe" is Caffe's filler of the
    same name, Var W = gain^2 / fan_in. Differs from torch.nn.init: effective fans (torch's
    fan_out ignores groups and stride, and both are exchanged for transposed convolutions).

    Reference: Glorot and Bengio (2010), equation 12.
    """
    return _xavier(layer, "normal", gain, convention, fans)


def xavier_uniform(layer: Layer, *, gain: float, convention: str, fans: str) -> Draw:
    """U(-b, b) with b = gain sqrt(6 / (fan_in + fan_out)), the same variance as `xavier_normal`.

    convention="caffe": b = gain sqrt(3 / fan_in), which detection code calls Xavier too.

    Reference: Glorot and Bengio (2010), equation 16.
    """
    return _xavier(layer, "uniform", gain, convention, fans)


def _he(layer: Layer, distribution: str, mode: str, gain: float, fans: str) -> Draw:
    return scaled(layer, distribution, gain * gain, pick(fans_of(layer, fans), mode))


def he_normal(
    layer: Layer,
    *,
    mode: str,
    nonlinearity: str,
    a: float | None,
    gain: float | None,
    convention: str,
    fans: str,
) -> Draw:
    """Normal, Var W = gain^2 / fan with gain^2 = 2 / (1 + a^2) for (leaky) ReLU.

    Keeps the mean square of the signal (mode fan_in) or of the gradient (fan_out) through a plain
    stack. For other activations the gain is 1 / sqrt(E f(z)^2), by quadrature. Differs from
    torch.nn.init: effective fans, and quadrature gains (torch: tanh 5/3, selu 3/4, no gelu).

    Reference: He et al. (2015), equations 10 and 14, arXiv:1502.01852.
    """
    return _he(layer, "normal", mode, resolve_gain(gain, nonlinearity, a, convention), fans)


def he_uniform(
    layer: Layer,
    *,
    mode: str,
    nonlinearity: str,
    a: float | None,
    gain: float | None,
    convention: str,
    fans: str,
) -> Draw:
    """U(-b, b) with b = gain sqrt(3 / fan): the variance of `he_normal`.

    Reference: He et al. (2015), arXiv:1502.01852.
    """
    return _he(layer, "uniform", mode, resolve_gain(gain, nonlinearity, a, convention), fans)


def lecun_normal(layer: Layer, *, truncated: bool, fans: str) -> Draw:
    """Normal, Var W = 1 / fan_in: keeps the signal of linear and SELU layers.

    Texts mean a plain normal; JAX and Keras cut it at 2 sigma and divide by .8796 to keep the
    variance: `truncated`. A ReLU stack halves its signal per layer with it.

    Reference: LeCun et al. (1998), section 4.6.
    """
    distribution = "truncated_normal" if truncated else "normal"
    return scaled(layer, distribution, 1.0, fans_of(layer, fans).fan_in)


def lecun_uniform(layer: Layer, *, fans: str) -> Draw:
    """U(-b, b) with b = sqrt(3 / fan_in): the variance of `lecun_normal`.

    Reference: LeCun et al. (1998), section 4.6.
    """
    return scaled(layer, "uniform", 1.0, fans_of(layer, fans).fan_in)


def variance_scaling(layer: Layer, *, scale: float, mode: str, distribution: str, fans: str) -> Draw:
    """Var W = scale / fan: the one primitive behind LeCun, Glorot and He.

    The truncated normal is cut at 2 sigma and has the variance asked for.
    """
    return scaled(layer, distribution, scale, pick(fans_of(layer, fans), mode))


def torch_default(layer: Layer, *, fan_in: int | None) -> Draw:
    """What torch's own layers start with: U(-b, b), b = 1 / sqrt(fan_in), for weight and bias.

    Var W = 1 / (3 fan_in): a third of what keeps a linear signal, a sixth for ReLU. torch calls it
    kaiming_uniform(a=sqrt(5)). Reproduced as published, with torch's own fan_in (exchanged for
    transposed convolutions). An embedding is N(0, 1). A bias needs the `fan_in` of its weight.
    """
    if layer.kind == "embedding":
        return Normal(0.0, 1.0)
    if fan_in is None:
        if len(layer.shape) < 2:
            expected = "fan_in of the weight that the bias belongs to"
            raise refuse("torch_default", layer, expected, instead="fan_in=, or zeros")
        fan_in = torch_fans(layer.shape)[0]
    bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    return Uniform(-bound, bound)


_XAVIER_PARAMS = (GAIN, Param("convention", "glorot", "which Xavier", choices=("glorot", "caffe")), FANS)
_HE_PARAMS = (FAN_MODE, NONLINEARITY, SLOPE, GAIN_OR_AUTO, CONVENTION, FANS)
_RELU_FAMILY = ("relu", "leaky_relu", "relu6")
_FAMILY = "variance_scaling"

METHODS = (
    Method(
        "xavier_normal",
        _FAMILY,
        "Normal, variance 2 / (fan_in + fan_out).",
        _XAVIER_PARAMS,
        WEIGHTS,
        _GLOROT,
        xavier_normal,
        aliases=("glorot_normal",),
        activations=("identity", "tanh", "softsign"),
    ),
    Method(
        "xavier_uniform",
        _FAMILY,
        "Uniform, variance 2 / (fan_in + fan_out).",
        _XAVIER_PARAMS,
        WEIGHTS,
        _GLOROT,
        xavier_uniform,
        aliases=("glorot_uniform", "xavier"),
        activations=("identity", "tanh", "softsign"),
    ),
    Method(
        "he_normal",
        _FAMILY,
        "Normal, variance gain^2 / fan, gain from the activation.",
        _HE_PARAMS,
        WEIGHTS,
        _HE,
        he_normal,
        aliases=("kaiming_normal", "msra_normal", "msra", "he"),
        activations=_RELU_FAMILY,
    ),
    Method(
        "he_uniform",
        _FAMILY,
        "Uniform, variance gain^2 / fan, gain from the activation.",
        _HE_PARAMS,
        WEIGHTS,
        _HE,
        he_uniform,
        aliases=("kaiming_uniform", "msra_uniform", "kaiming"),
        activations=_RELU_FAMILY,
    ),
    Method(
        "lecun_normal",
        _FAMILY,
        "Normal, variance 1 / fan_in.",
        (Param("truncated", False, "cut at 2 sigma, as JAX and Keras do"), FANS),
        WEIGHTS,
        _LECUN,
        lecun_normal,
        activations=("identity", "selu"),
    ),
    Method(
        "lecun_uniform",
        _FAMILY,
        "Uniform, variance 1 / fan_in.",
        (FANS,),
        WEIGHTS,
        _LECUN,
        lecun_uniform,
        activations=("identity", "selu"),
    ),
    Method(
        "variance_scaling",
        _FAMILY,
        "Variance scale / fan, any fan, three distributions.",
        (Param("scale", 1.0, "variance times fan", low=0.0), FAN_MODE, DISTRIBUTION, FANS),
        WEIGHTS,
        _LECUN,
        variance_scaling,
    ),
    Method(
        "torch_default",
        _FAMILY,
        "What torch.nn layers start with: U(-b, b), b = 1 / sqrt(fan_in).",
        (Param("fan_in", None, "for a bias: fan_in of its weight", low=1),),
        EVERYTHING,
        _PYTORCH,
        torch_default,
        aliases=("pytorch", "torch"),
    ),
)
