"""Orthogonal weights: every singular value the same, at one layer or for a whole convolution."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.variance_kit import FANS, GAIN, fans_of
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn, tap
from initium.methods.method import MATRICES, Method, Paper, Param, refuse
from initium.random.distributions import Constant, Draw, Orthogonal, Uniform
from initium.random.key import Key
from initium.theory.layer import Layer

_SAXE = Paper("Saxe, McClelland, Ganguli", 2013, "Exact solutions to nonlinear learning", "1312.6120")
_XIAO = Paper("Xiao et al.", 2018, "Dynamical Isometry and a Mean Field Theory of CNNs", "1806.05393")


def orthogonal(layer: Layer, *, gain: float, scale: str, fans: str) -> Draw:
    """W W^T = gain^2 I or W^T W = gain^2 I, whichever fits: Haar distributed (semi-)orthogonal.

    Each group of a convolution is a matrix of its own: (out/g, in/g * taps); of a transposed one
    (in/g, out/g * taps). torch flattens all groups into one matrix, so its groups are not
    orthogonal. scale="isometry" is the published one: a tall layer (out > in) shrinks the mean
    square of its output by in/out. scale="forward" multiplies by sqrt(max(rows, cols) / fan_in),
    so that it stays (the scaled-uniform orthogonal of DKS); "backward" does so for gradients.

    Reference: Saxe et al. (2013), arXiv:1312.6120; Martens et al. (2021), arXiv:2110.01765.
    """
    sizes = canonical(layer)
    # A transposed convolution is stored as the map that it transposes, and orthogonal in that form.
    short, long = (sizes.num_in, sizes.num_out) if layer.transposed else (sizes.num_out, sizes.num_in)
    rows, cols = short, long * sizes.taps
    if sizes.groups * rows * cols == 0:
        return Constant(0.0)
    if scale != "isometry":
        both = fans_of(layer, fans)
        gain *= math.sqrt(max(rows, cols) / (both.fan_in if scale == "forward" else both.fan_out))
    return Orthogonal(gain, rows, cols, sizes.groups, _layout(layer))


def _layout(layer: Layer) -> tuple[int, ...]:
    """The order of axes in which the groups' matrices follow one another."""
    rank = len(layer.shape)
    out_axis, in_axis = layer.out_axis % rank, layer.in_axis % rank
    kernel = tuple(axis for axis in range(rank) if axis not in (out_axis, in_axis))
    if layer.kind in ("conv", "conv_transpose"):
        order = (in_axis, out_axis, *kernel) if layer.transposed else (out_axis, in_axis, *kernel)
    else:
        order = (*kernel, out_axis, in_axis)
    return () if order == tuple(range(rank)) else order


def delta_orthogonal(layer: Layer, *, gain: float) -> Draw:
    """Zero everywhere but the centre tap, which holds an orthonormal map from inputs to outputs.

    A stride-1 convolution with it is an isometry at every frequency, so plain nets of thousands of
    layers train. Needs out >= in in each group. Of an even kernel the lower centre (k - 1) // 2 is
    used, as in JAX; other ports differ, and one multiplies by the root of the gain.

    Reference: Xiao et al. (2018), arXiv:1806.05393, section 2.4.
    """
    _check_wide("delta_orthogonal", layer)
    return built(layer, functools.partial(_delta, gain=gain))


def _delta(sizes: Canonical, key: Key, *, gain: float) -> Tensor:
    weight = torch.zeros(sizes.shape)
    draw = Orthogonal(gain, sizes.num_out, sizes.num_in, sizes.groups)
    tap(weight, sizes.centre).copy_(drawn(sizes.shape[:3], draw, key))
    return weight


def _delta_energy(layer: Layer, *, gain: float) -> Energy:
    sizes = canonical(layer)
    return Energy(centre=gain**2 * sizes.groups * sizes.num_in)


def scaled_orthogonal(layer: Layer, *, gain: float, fans: str) -> Draw:
    """`orthogonal` times sqrt(max(rows, cols) / fan_in): the mean square of the signal is kept.

    The scaled-uniform orthogonal of DKS. Its PyTorch port takes torch's filters for (in, out, ...)
    and multiplies the wrong layers: the mean square becomes in/out or out/in.

    Reference: Martens et al. (2021), arXiv:2110.01765, section 5.
    """
    return orthogonal(layer, gain=gain, scale="forward", fans=fans)


def conv_orthogonal(layer: Layer, *, gain: float) -> Draw:
    """A convolution with every tap at work that is exactly an isometry (circular, stride 1).

    An orthonormal map (out, in), then for each axis k - 1 factors [P, I - P] of two taps, P a random
    projector of the outputs; such a factor is an isometry, and so is their composition. Needs
    out >= in in each group. With zero padding the border loses a little.

    Reference: Xiao et al. (2018), arXiv:1806.05393, algorithm 1; Kautsky and Turcajova (1994).
    """
    _check_wide("conv_orthogonal", layer)
    return built(layer, functools.partial(conv_isometry, gain=gain))


def conv_isometry(sizes: Canonical, key: Key, *, gain: float) -> Tensor:
    """The weight of `conv_orthogonal` in canonical order."""
    square = Orthogonal(1.0, sizes.num_out, sizes.num_out, sizes.groups)
    weight = drawn(sizes.shape[:3], Orthogonal(gain, sizes.num_out, sizes.num_in, sizes.groups), key)
    weight = weight.reshape(*sizes.shape[:3], *[1] * len(sizes.kernel))
    for step in range(max(sizes.kernel, default=1) - 1):
        for axis, side in enumerate(sizes.kernel):
            if step < side - 1:
                name = f"projector {step} {axis}"
                basis = drawn((sizes.groups, sizes.num_out, sizes.num_out), square, key.child(name))
                kept = drawn((sizes.groups, 1, sizes.num_out), Uniform(0.0, 1.0), key.child(f"{name} kept"))
                part = torch.einsum("goi,gi...->go...", (basis * (kept < 0.5)) @ basis.mT, weight)
                weight = _shifted(part, axis, 0) + _shifted(weight - part, axis, 1)
    return weight


def _conv_orthogonal_energy(layer: Layer, *, gain: float) -> Energy:
    return Energy(uneven=_delta_energy(layer, gain=gain).centre)


def _shifted(weight: Tensor, axis: int, by: int) -> Tensor:
    """`weight` grown by one tap along a kernel axis, its taps moved up by `by`."""
    grown = list(weight.shape)
    grown[3 + axis] += 1
    out = torch.zeros(grown)
    out.narrow(3 + axis, by, grown[3 + axis] - 1).copy_(weight)
    return out


def _check_wide(name: str, layer: Layer) -> None:
    sizes = canonical(layer)
    if sizes.num_out < sizes.num_in:
        raise refuse(
            name,
            layer,
            f"at least as many outputs as inputs in a group, not {sizes.num_in} to {sizes.num_out}",
            instead="scaled_orthogonal",
        )


_SCALE = Param(
    "scale",
    "isometry",
    "isometry as published; forward or backward keep the mean square of signal or gradient",
    choices=("isometry", "forward", "backward"),
)

METHODS = (
    Method(
        "orthogonal",
        "orthogonal",
        "Haar distributed (semi-)orthogonal matrix, per group.",
        (GAIN, _SCALE, FANS),
        MATRICES,
        _SAXE,
        orthogonal,
        aliases=("ortho", "saxe"),
    ),
    Method(
        "scaled_orthogonal",
        "orthogonal",
        "Orthogonal, rectangular layers scaled to keep the mean square.",
        (GAIN, FANS),
        MATRICES,
        Paper("Martens et al.", 2021, "Deep Kernel Shaping", "2110.01765"),
        scaled_orthogonal,
        aliases=("suo", "scaled_uniform_orthogonal"),
    ),
    Method(
        "conv_orthogonal",
        "orthogonal",
        "A convolution with all taps in use that is an exact isometry.",
        (GAIN,),
        ("conv",),
        _XIAO,
        conv_orthogonal,
        aliases=("convolutional_orthogonal", "orthogonal_2d"),
        activations=("tanh", "identity"),
        instead="scaled_orthogonal",
        energy=_conv_orthogonal_energy,
    ),
    Method(
        "delta_orthogonal",
        "orthogonal",
        "Orthogonal centre tap, all other taps zero.",
        (GAIN,),
        ("conv",),
        _XIAO,
        delta_orthogonal,
        activations=("tanh", "identity"),
        instead="orthogonal",
        energy=_delta_energy,
    ),
)
