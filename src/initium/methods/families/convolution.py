"""Convolutions: filters with structure in space."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.variance_kit import FANS, GAIN, fans_of, spread
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import Method, Paper, Param, refuse
from initium.random.distributions import Draw, Normal, Orthogonal, Uniform
from initium.random.key import Key
from initium.theory.layer import Kind, Layer


def efficientnet(layer: Layer) -> Draw:
    """Convolutions N(0, 2 / (taps out / groups)), linear layers U(-b, b) with b = 1 / sqrt(out).

    The TPU code's fan_out, which divides by the groups (so a depthwise 3x3 has 9) and ignores stride.

    Reference: Tan and Le (2019), arXiv:1905.11946; the official TensorFlow code.
    """
    sizes = canonical(layer)
    if layer.kind == "linear":
        return spread(
            "uniform", 1 / math.sqrt(3 * max(sizes.num_out, 1))
        )  # std of a uniform: its bound / sqrt(3)
    return spread("normal", math.sqrt(2 / max(sizes.num_out * sizes.taps, 1)))


def conv_aware(layer: Layer, *, gain: float, spectrum: str, noise: float, fans: str) -> Draw:
    """Filters of a unit that are orthogonal to each other, in space and so in Fourier space, then scaled.

    Each unit's filters over its inputs are rows of random orthogonal matrices, as many as taps at a time.
    A little noise breaks ties; the whole weight gets variance gain^2 / fan_in exactly. Kernels of one
    tap are normal. spectrum="half" is the published code: real rows as half spectra through an
    inverse real FFT, which makes every filter point symmetric and loses the orthogonality.

    Reference: Aghajanyan (2017), arXiv:1702.06295.
    """
    target = gain / math.sqrt(max(fans_of(layer, fans).fan_in, 1e-12))
    if canonical(layer).taps == 1:
        return spread("normal", target)
    build = functools.partial(_conv_aware, target=target, half=spectrum == "half", noise=noise)
    return built(layer, build)


def _conv_aware(sizes: Canonical, key: Key, *, target: float, half: bool, noise: float) -> Tensor:
    units = sizes.groups * sizes.num_out
    *others, last = sizes.kernel
    sides = (*others, last // 2 + 1) if half else sizes.kernel
    rows = _orthogonal_rows(units, sizes.num_in, math.prod(sides), key.child("basis"))
    filters = rows.reshape(units, sizes.num_in, *sides)
    if half:
        axes = tuple(range(2, 2 + len(sides)))
        filters = torch.fft.irfftn(filters.to(torch.complex64), s=sizes.kernel, dim=axes)
    filters = filters + drawn(tuple(filters.shape), Normal(0.0, noise), key.child("noise"))
    # By the spread of what was drawn, not by its law: the method promises this variance exactly.
    weight: Tensor = filters * (target / filters.std(correction=0).clamp_min(1e-12))
    return weight.reshape(sizes.shape)


def _conv_aware_energy(layer: Layer, *, gain: float, spectrum: str, noise: float, fans: str) -> Energy:
    del spectrum, noise
    return Energy(even=math.prod(layer.shape) * gain**2 / max(fans_of(layer, fans).fan_in, 1e-12))


def _orthogonal_rows(units: int, count: int, side: int, key: Key) -> Tensor:
    """For each unit, `count` rows from as many orthogonal matrices of that side as it takes."""
    bases = -(-count // side)
    square = drawn((units * bases, side, side), Orthogonal(1.0, side, side, units * bases), key)
    return square.reshape(units, bases * side, side)[:, :count]


def conv_covariance(layer: Layer, *, sigma: float, fans: str) -> Draw:
    """Depthwise filters drawn from a Gaussian field: smooth, centred, of width `sigma` kernel sides.

    Taps i, j of a filter have covariance M_i (C_ij - S_j / 2), made symmetric, where C_ij is a Gaussian
    bump of the distance between the taps, S and M the same bump about the centre; negative
    eigenvalues are cut. Scaled to a mean variance of 1 / fan_in. `sigma` grows with depth in the paper:
    0.15 in early, 0.5 and more in late layers.

    Rebuilt from the paper's description; the constants of its depth rule are yours to choose.

    Reference: Trockman, Willmott and Kolter (2022), arXiv:2210.03651, section 4.
    """
    sizes = canonical(layer)
    if sizes.num_in != 1 or sizes.taps == 1:
        raise refuse("conv_covariance", layer, "a depthwise kernel of more than one tap", instead="he_normal")
    return built(layer, functools.partial(_conv_covariance, sigma=sigma, fan=fans_of(layer, fans).fan_in))


def _conv_covariance(sizes: Canonical, key: Key, *, sigma: float, fan: float) -> Tensor:
    values, vectors = torch.linalg.eigh(filter_covariance(sizes.kernel, sigma))
    # The published formula is no covariance: it has negative eigenvalues, and no field has such.
    values = values.clamp_min(0.0)
    root: Tensor = vectors * (values / values.mean() / max(fan, 1e-12)).sqrt()
    shape = (sizes.groups * sizes.num_out, sizes.taps)
    return (drawn(shape, Normal(0.0, 1.0), key) @ root.mT.float()).reshape(sizes.shape)


def _conv_covariance_energy(layer: Layer, *, sigma: float, fans: str) -> Energy:
    del sigma
    return Energy(uneven=math.prod(layer.shape) / max(fans_of(layer, fans).fan_in, 1e-12))


def filter_covariance(kernel: tuple[int, ...], sigma: float) -> Tensor:
    """The covariance of `conv_covariance` between taps, before negative eigenvalues are cut."""
    grids = torch.meshgrid(*(torch.arange(side).double() for side in kernel), indexing="ij")
    place = torch.stack([grid.flatten() for grid in grids], 1)
    middle = torch.tensor([float(side // 2) for side in kernel], dtype=torch.float64)
    width = sigma * max(kernel)
    bump = torch.exp(-torch.cdist(place, place).square() / (2 * width**2))
    centred = torch.exp(-(place - middle).square().sum(1) / (2 * width**2))
    skewed = centred[:, None] * (bump - centred[None, :] / 2)
    return (skewed + skewed.mT) / 2


def impulse_filter(layer: Layer, *, shape: str, box: int) -> Draw:
    """Depthwise filters with one random tap, or one random box, of value sqrt(1/3) / box^n; others 0.

    Spatial mixing may stay fixed if the channels' filters span the space of filters: random single
    taps do. sqrt(1/3) matches the norm of torch's default, U(-1/k, 1/k).

    Reference: Zheng, Li and Lucey (2024), arXiv:2404.01139.
    """
    sizes = canonical(layer)
    if sizes.num_in != 1 or sizes.taps == 1:
        raise refuse("impulse_filter", layer, "a depthwise kernel of more than one tap", instead="he_normal")
    return built(layer, functools.partial(_impulse_filter, box=box if shape == "box" else 1))


def _impulse_filter(sizes: Canonical, key: Key, *, box: int) -> Tensor:
    units = sizes.groups * sizes.num_out
    weight = torch.full((units, 1), math.sqrt(1 / 3))
    for axis, side in enumerate(sizes.kernel):
        length = min(box, side)
        # Each axis on its own: a box at a uniform place of the kernel is a product of uniform intervals.
        start = drawn((units,), Uniform(0.0, 1.0), key.child(f"axis {axis}")) * (side - length + 1)
        offset = torch.arange(side) - start.long().clamp_max(side - length)[:, None]
        inside = ((offset >= 0) & (offset < length)).float() / length
        weight = (weight[:, :, None] * inside[:, None, :]).flatten(1)
    return weight.reshape(sizes.shape)


def _impulse_filter_energy(layer: Layer, *, shape: str, box: int) -> Energy:
    sizes = canonical(layer)
    units = sizes.groups * sizes.num_out / 3
    if shape == "impulse":
        return Energy(even=units)
    return Energy(uneven=units / math.prod(min(box, side) for side in sizes.kernel))


_DEPTHWISE: tuple[Kind, ...] = ("conv",)

METHODS = (
    Method(
        "efficientnet",
        "convolution",
        "N(0, 2 / fan_out per group), as the TPU code of MBConv nets.",
        (),
        ("linear", "conv"),
        Paper("Tan, Le", 2019, "EfficientNet", "1905.11946"),
        efficientnet,
        aliases=("goog",),
        activations=("silu", "relu"),
    ),
    Method(
        "conv_aware",
        "convolution",
        "Filters of a unit orthogonal to each other, in space and in Fourier space.",
        (
            Param("gain", math.sqrt(2), GAIN.help, low=0.0),
            Param(
                "spectrum",
                "full",
                "full: orthogonal filters; half: the published code",
                choices=("full", "half"),
            ),
            Param("noise", 0.05, "standard deviation of the noise before scaling", low=0.0),
            FANS,
        ),
        ("conv",),
        Paper("Aghajanyan", 2017, "Convolution Aware Initialization", "1702.06295"),
        conv_aware,
        aliases=("cai", "convolution_aware"),
        activations=("relu",),
        instead="orthogonal",
        energy=_conv_aware_energy,
    ),
    Method(
        "conv_covariance",
        "convolution",
        "Smooth depthwise filters from a Gaussian field.",
        (Param("sigma", 0.3, "width of the field in kernel sides", low=1e-3), FANS),
        _DEPTHWISE,
        Paper(
            "Trockman, Willmott, Kolter", 2022, "Covariance Structure of Convolutional Filters", "2210.03651"
        ),
        conv_covariance,
        aliases=("convcov",),
        instead="he_normal",
        energy=_conv_covariance_energy,
    ),
    Method(
        "impulse_filter",
        "convolution",
        "Depthwise filters of one random tap or box.",
        (
            Param("shape", "impulse", "one tap or a box", choices=("impulse", "box")),
            Param("box", 3, "side of the box", low=1),
        ),
        _DEPTHWISE,
        Paper("Zheng, Li, Lucey", 2024, "Structured Initialization for Attention", "2404.01139"),
        impulse_filter,
        aliases=("impulse", "box"),
        instead="he_normal",
        energy=_impulse_filter_energy,
    ),
)
