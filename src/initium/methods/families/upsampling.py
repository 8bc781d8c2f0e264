"""Upsampling layers that start without a checkerboard."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.variance_kit import DISTRIBUTION, GAIN, fans_of, spread
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import Method, Paper, Param, refuse
from initium.random.distributions import Draw
from initium.random.key import Key
from initium.theory.layer import Layer


def icnr(layer: Layer, *, factor: int, gain: float, distribution: str) -> Draw:
    """A convolution before PixelShuffle(r) that starts as nearest-neighbour upsampling.

    out / r^n kernels are drawn with variance gain^2 / fan_in and each is repeated r^n times, n the
    number of spatial axes, so the r^n pixels that a shuffle places side by side are equal.

    Reference: Aitken et al. (2017), arXiv:1707.02937.
    """
    sizes = canonical(layer)
    copies = factor ** len(sizes.kernel)
    if sizes.groups > 1 or sizes.num_out % copies:
        expected = f"one group and outputs divisible by {factor}^{len(sizes.kernel)} = {copies}"
        raise refuse("icnr", layer, expected, instead="he_normal, or a factor that divides the outputs")
    std = gain / math.sqrt(max(fans_of(layer, "effective").fan_in, 1))
    return built(layer, functools.partial(_icnr, copies=copies, std=std, distribution=distribution))


def _icnr(sizes: Canonical, key: Key, *, copies: int, std: float, distribution: str) -> Tensor:
    kernels = drawn((1, sizes.num_out // copies, sizes.num_in, *sizes.kernel), spread(distribution, std), key)
    # PixelShuffle takes the r^n channels of one output channel from neighbouring places: copies must lie side by side.
    return kernels.repeat_interleave(copies, 1)


def _icnr_energy(layer: Layer, *, factor: int, gain: float, distribution: str) -> Energy:
    del factor, distribution
    return Energy(even=math.prod(layer.shape) * gain**2 / max(fans_of(layer, "effective").fan_in, 1))


def bilinear(layer: Layer) -> Draw:
    """A transposed convolution that interpolates linearly, each channel into itself.

    Tap x of side k has weight 1 - |x / f - c|, f = ceil(k / 2), c = (k - 1) / (2 f), on each axis.
    For stride s take k = 2 s - s mod 2 and padding (k - s) / 2. Caffe fills every pair of channels,
    which for more than one group-channel mixes all of them; here off-diagonal pairs are 0.

    Reference: Long, Shelhamer and Darrell (2014), arXiv:1411.4038.
    """
    sizes = canonical(layer)
    if sizes.num_in != sizes.num_out:
        expected = f"as many outputs as inputs in a group, not {sizes.num_in} to {sizes.num_out}"
        raise refuse("bilinear", layer, expected, instead="icnr with a PixelShuffle, or he_normal")
    return built(layer, _bilinear)


def _bilinear(sizes: Canonical, key: Key) -> Tensor:
    del key
    taps = torch.ones(1)
    for side in sizes.kernel:
        taps = (taps[:, None] * triangle(side)[None, :]).flatten()
    weight = torch.zeros(sizes.groups, sizes.num_out, sizes.num_in, sizes.taps)
    channel = torch.arange(sizes.num_out)
    weight[:, channel, channel] = taps
    return weight.reshape(sizes.shape)


def triangle(side: int) -> Tensor:
    """The weights of linear interpolation along one axis of `side` taps."""
    half = math.ceil(side / 2)
    centre = (side - 1) / (2 * half)
    return 1 - (torch.arange(side) / half - centre).abs()


def _bilinear_energy(layer: Layer) -> Energy:
    sizes = canonical(layer)
    taps = math.prod(float(triangle(side).square().sum()) for side in sizes.kernel)
    return Energy(uneven=sizes.groups * sizes.num_out * taps)


METHODS = (
    Method(
        "icnr",
        "upsampling",
        "Sub-pixel convolution that starts as nearest-neighbour upsampling.",
        (Param("factor", 2, "factor of the PixelShuffle", low=1), GAIN, DISTRIBUTION),
        ("conv",),
        Paper("Aitken et al.", 2017, "Checkerboard artifact free sub-pixel convolution", "1707.02937"),
        icnr,
        instead="he_normal",
        energy=_icnr_energy,
    ),
    Method(
        "bilinear",
        "upsampling",
        "Transposed convolution that interpolates linearly.",
        (),
        ("conv_transpose",),
        Paper("Long, Shelhamer, Darrell", 2014, "Fully Convolutional Networks", "1411.4038"),
        bilinear,
        aliases=("bilinear_upsample",),
        instead="he_normal",
        energy=_bilinear_energy,
    ),
)
