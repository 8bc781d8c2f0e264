"""Scales from the theory of signal propagation: gains, dropout, finite width, padding, criticality, depth."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.methods.families.variance_kit import (
    CONVENTION,
    DISTRIBUTION,
    FAN_MODE,
    FANS,
    NONLINEARITY,
    fans_of,
    pick,
    resolve_gain,
    scaled,
)
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn, tap
from initium.methods.method import WEIGHTS, Method, Paper, Param
from initium.random.distributions import Constant, Draw, Normal
from initium.random.key import Key
from initium.theory.gains import moments
from initium.theory.layer import Kind, Layer
from initium.theory.meanfield import CriticalPoint, edge_of_chaos


def numeric_gain(
    layer: Layer, *, nonlinearity: str, convention: str, mode: str, distribution: str, fans: str
) -> Draw:
    """Var W = g(f)^2 / fan, with the gain g of any activation by quadrature.

    convention second_moment keeps E f(z)^2 = 1 (AnyInit's target), centred Var f(z) = 1 (AutoInit's
    and NF-nets' target), backward E f'(z)^2 = 1: three targets that the literature calls by one word.

    Reference: Poole et al. (2016), arXiv:1606.05340; Bingham and Miikkulainen (2021), arXiv:2109.08958.
    """
    gain = resolve_gain(None, nonlinearity, None, convention)
    return scaled(layer, distribution, gain * gain, pick(fans_of(layer, fans), mode))


def dropout_he(layer: Layer, *, p: float, nonlinearity: str, mode: str, fans: str) -> Draw:
    """Normal, Var W = gain^2 (1 - p) / fan, for a layer fed through inverted dropout of rate p.

    Inverted dropout divides the kept units by 1 - p, so it multiplies the mean square by
    1 / (1 - p), forward and backward; the factor 1 - p takes it back. For ReLU: 2 (1 - p) / fan.

    Reference: Pretorius et al. (2018), arXiv:1811.00293; Hendrycks and Gimpel (2016), arXiv:1607.02488.
    """
    gain = resolve_gain(None, nonlinearity, None, "second_moment")
    return scaled(layer, "normal", gain * gain * (1 - p), pick(fans_of(layer, fans), mode))


def random_walk(layer: Layer, *, nonlinearity: str, fans: str) -> Draw:
    """Normal, Var W = g^2 / n: the log of the gradient's norm does an unbiased walk through depth.

    The mean of a log is below the log of the mean, so narrow layers need more: g = exp(1 / (2 n))
    for linear units, g = sqrt(2) exp(1.2 / (max(n, 6) - 2.4)) for ReLU, n the fan_in.

    Reference: Sussillo and Abbott (2014), arXiv:1412.6558, equations 13 and 15.
    """
    n = fans_of(layer, fans).fan_in
    if nonlinearity in ("identity", "linear"):
        gain = math.exp(1 / (2 * n)) if n > 0 else 1.0
    elif nonlinearity == "relu":
        # The paper's fit has a pole at n = 2.4; below 6 its value at 6 is used.
        gain = math.sqrt(2) * math.exp(1.2 / (max(n, 6) - 2.4))
    else:
        raise UsageError(
            f"random_walk for nonlinearity {nonlinearity!r}",
            expected='"relu" or "identity", for which the paper gives a scale',
            remedy="use numeric_gain, which takes any activation",
        )
    return scaled(layer, "normal", gain * gain, n)


def asv(layer: Layer, *, nonlinearity: str, mode: str, pooling: str, window: int, distribution: str) -> Draw:
    """Var W = 1 / (kept fan), fan and share kept counted over padded and pooled positions.

    Taps on zero padding add nothing, so a small map under a large kernel loses signal with He; here
    the fan is the mean number of taps in range, which needs the layer's `input_size`. `kept` is what
    ReLU and a pooling of T = `window` positions leave of the mean square (fan_in: in front of the
    layer) or of the gradient's (fan_out: behind it): 1/2 and 1/2 without pooling; max T E[s^2 Phi(s)^(T-1); s > 0]
    and (1 - 2^-T) / T; average (1 + (T - 1) / pi) / (2 T) and 1 / (2 T^2). As published, the standard
    deviation is at most three times He's.

    Reference: Henmi et al. (2020), arXiv:2008.06885.
    """
    if pooling == "none":
        gain = resolve_gain(None, nonlinearity, None, "second_moment")
        power = gain * gain
    elif nonlinearity == "relu":
        power = min(1 / pooled_share(pooling, window, mode), 2 * 3**2)
    else:
        raise UsageError(
            f"asv with {pooling} pooling behind {nonlinearity!r}",
            expected='nonlinearity="relu", for which the shares of a pooling are published',
            remedy='pass pooling="none", or use policy="lsuv", which measures',
        )
    return scaled(layer, distribution, power, pick(fans_of(layer, "effective"), mode))


@functools.lru_cache(maxsize=256)
def pooled_share(pooling: str, window: int, mode: str) -> float:
    """What ReLU and a pooling of `window` independent standard normals leave of the mean square, either way."""
    forward = mode == "fan_in"
    if pooling == "average":
        return (1 + (window - 1) / math.pi) / (2 * window) if forward else 1 / (2 * window**2)
    if not forward:
        return (1 - 0.5**window) / window
    # Beyond 12 the density is below e^-72, and within it so smooth that trapezoids of 5e-4 suffice.
    s = torch.linspace(0.0, 12.0, 24_001, dtype=torch.float64)
    below = torch.erfc(-s / math.sqrt(2)) / 2
    density = s.square() * torch.exp(-s.square() / 2) * below ** (window - 1)
    return window * float(torch.trapezoid(density, s)) / math.sqrt(2 * math.pi)


def critical(layer: Layer, *, nonlinearity: str, sigma_b: float | None) -> Draw:
    """W ~ N(0, sigma_w^2 / fan_in), b ~ N(0, sigma_b^2) on the edge of chaos, chi = 1.

    sigma_w solves sigma_w^2 E f'(z)^2 = 1 at the fixed point of the variance. Without sigma_b: 0 for
    homogeneous functions (ReLU gives He), 0.05 for others. tanh with sigma_b^2 = 0.05: sigma_w^2 = 1.76.

    Reference: Poole et al. (2016), arXiv:1606.05340; Schoenholz et al. (2016), arXiv:1611.01232.
    """
    point = critical_point(nonlinearity, sigma_b)
    if layer.kind == "vector":
        return Normal(0.0, point.sigma_b) if point.sigma_b else Constant(0.0)
    return scaled(layer, "normal", point.sigma_w**2, fans_of(layer, "effective").fan_in)


@functools.lru_cache(maxsize=256)
def critical_point(nonlinearity: str, sigma_b: float | None) -> CriticalPoint:
    """The point of `critical`; without sigma_b, 0 for homogeneous functions and 0.05 for others."""
    if sigma_b is None:
        one, two = moments(nonlinearity, 1.0), moments(nonlinearity, 4.0)
        # s(4 q) = 4 s(q) and s = d hold for ReLU and its like alone: there every variance is a fixed point, and a bias
        # would make it grow without end.
        sigma_b = 0.0 if abs(two.s - 4 * one.s) < 1e-9 and abs(one.s - one.d) < 1e-9 else 0.05
    return edge_of_chaos(nonlinearity, sigma_b)


def hanin_rolnick(layer: Layer, *, index: int, base: float, fans: str) -> Draw:
    """He normal times base^index: the last weight of residual branch `index`, scales summing up.

    He variance keeps the mean length of activations in a plain ReLU net; with skips the branch
    scales eta_l must have a finite sum, for which the paper takes powers of a base below 1.

    Reference: Hanin and Rolnick (2018), arXiv:1803.01719, theorems 5 and 6.
    """
    return scaled(layer, "normal", 2 * base ** (2 * index), fans_of(layer, fans).fan_in)


def taki(layer: Layer, *, num_layers: int, c: float, fans: str) -> Draw:
    """Normal, Var W = c / (fan_in num_layers): branch weights of an unnormalized residual net.

    A branch of one layer multiplies the variance by 1 + c/(2L) for ReLU, so L of them by at most
    exp(c/2), whatever the depth.

    Reference: Taki (2017), arXiv:1709.02956.
    """
    return scaled(layer, "normal", c / num_layers, fans_of(layer, fans).fan_in)


def tanh_fixed_point(layer: Layer, *, alpha: float) -> Draw:
    """W = D + Z, D_ij = 1 if i = j (mod fan_in) else 0, Z ~ N(0, alpha^2 / fan_in).

    Near the identity tanh has a fixed point away from 0 as long as some row sum is above 1, which
    the noise provides; activations neither vanish nor saturate in deep and thin nets. Convolutions
    hold D at the centre tap. Code in circulation instead leaves surplus outputs to the noise and adds
    surplus inputs j to output j mod fan_out.

    Reference: Lee et al. (2024), arXiv:2410.02242, section 3.2.
    """
    return built(layer, functools.partial(_tanh_fixed_point, alpha=alpha))


def _tanh_fixed_point(sizes: Canonical, key: Key, *, alpha: float) -> Tensor:
    weight = drawn(sizes.shape, Normal(0.0, alpha / math.sqrt(sizes.num_in * sizes.taps)), key)
    out = torch.arange(sizes.num_out)
    tap(weight, sizes.centre)[:, out, out % sizes.num_in] += 1.0
    return weight


def _tanh_fixed_point_energy(layer: Layer, *, alpha: float) -> Energy:
    sizes = canonical(layer)
    units = float(sizes.groups * sizes.num_out)
    return Energy(centre=units, even=units * alpha**2)


_POOLE = Paper(
    "Poole, Lahiri, Raghu, Sohl-Dickstein, Ganguli", 2016, "Exponential expressivity", "1606.05340"
)
_CONV_KINDS: tuple[Kind, ...] = ("conv", "conv_transpose")
_RELU_ONLY = ("relu",)

METHODS = (
    Method(
        "numeric_gain",
        "signal_propagation",
        "Variance gain^2 / fan, the gain of any activation by quadrature.",
        (NONLINEARITY, CONVENTION, FAN_MODE, DISTRIBUTION, FANS),
        WEIGHTS,
        _POOLE,
        numeric_gain,
        aliases=("anyinit", "autoinit_gain"),
    ),
    Method(
        "dropout_he",
        "signal_propagation",
        "He corrected for inverted dropout in front.",
        (Param("p", 0.5, "dropout rate", low=0.0, high=1.0), NONLINEARITY, FAN_MODE, FANS),
        WEIGHTS,
        Paper(
            "Pretorius, van Biljon, Kroon, Kamper",
            2018,
            "Critical initialisation in noisy nets",
            "1811.00293",
        ),
        dropout_he,
        activations=_RELU_ONLY,
    ),
    Method(
        "random_walk",
        "signal_propagation",
        "He or LeCun corrected for narrow layers.",
        (Param("nonlinearity", "relu", "relu or identity"), FANS),
        WEIGHTS,
        Paper("Sussillo, Abbott", 2014, "Random Walk Initialization", "1412.6558"),
        random_walk,
        activations=("relu", "identity"),
        instead="numeric_gain",
    ),
    Method(
        "asv",
        "signal_propagation",
        "He with padding and pooling counted exactly.",
        (
            NONLINEARITY,
            Param("mode", "fan_in", FAN_MODE.help, choices=("fan_in", "fan_out")),
            Param(
                "pooling",
                "none",
                "in front of the layer, or behind for fan_out",
                choices=("none", "max", "average"),
            ),
            Param("window", 4, "positions in a window of the pooling", low=1),
            DISTRIBUTION,
        ),
        _CONV_KINDS,
        Paper("Henmi, Vasconcelos Zanella, Hirose, Harada", 2020, "Adaptive Signal Variances", "2008.06885"),
        asv,
        aliases=("adaptive_signal_variance",),
        activations=_RELU_ONLY,
        instead="he_normal",
    ),
    Method(
        "critical",
        "signal_propagation",
        "Weights and biases on the edge of chaos of any activation.",
        (
            Param("nonlinearity", "tanh", "the activation of the plain stack, by name"),
            Param("sigma_b", None, "standard deviation of the biases", low=0.0),
        ),
        (*WEIGHTS, "vector"),
        _POOLE,
        critical,
        aliases=("edge_of_chaos", "mean_field"),
        activations=("tanh", "relu", "gelu", "silu", "elu", "selu", "sin"),
    ),
    Method(
        "hanin_rolnick",
        "signal_propagation",
        "He, branch scales with a finite sum.",
        (
            Param("index", 0, "number of the residual branch, from 0; 0 for plain layers", low=0),
            Param("base", 0.9, "scale of branch l is base^l", low=0.0, high=1.0),
            FANS,
        ),
        WEIGHTS,
        Paper("Hanin, Rolnick", 2018, "How to Start Training", "1803.01719"),
        hanin_rolnick,
        activations=_RELU_ONLY,
    ),
    Method(
        "taki",
        "signal_propagation",
        "Branch weights of variance c / (fan_in L).",
        (
            Param("num_layers", 1, "number of residual blocks L", low=1),
            Param("c", 1.0, "constant", low=0.0),
            FANS,
        ),
        WEIGHTS,
        Paper("Taki", 2017, "Deep Residual Networks and Weight Initialization", "1709.02956"),
        taki,
        activations=_RELU_ONLY,
    ),
    Method(
        "tanh_fixed_point",
        "signal_propagation",
        "Repeated identity plus small noise, for deep and thin tanh nets.",
        (Param("alpha", 0.085, "noise times sqrt(fan_in)", low=0.0),),
        ("linear", *_CONV_KINDS),
        Paper("Lee, Choi, Kim", 2024, "Robust Weight Initialization for Tanh Networks", "2410.02242"),
        tanh_fixed_point,
        activations=("tanh",),
        energy=_tanh_fixed_point_energy,
    ),
)
