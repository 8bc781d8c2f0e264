"""Orthogonal weights: every singular value the same, at one layer or for a whole convolution."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.layout import Canonical, built, canonical, drawn, tap
from initium.methods.method import MATRICES, Method, Paper, Param, refuse
from initium.methods.scaling import FANS, GAIN, fans_of
from initium.random.distributions import Constant, Draw, Orthogonal
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
    sizes = canonical(layer)
    if sizes.num_out < sizes.num_in:
        raise refuse(
            "delta_orthogonal",
            layer,
            f"at least as many outputs as inputs in a group, not {sizes.num_in} to {sizes.num_out}",
            instead='orthogonal with scale="forward"',
        )
    return built(layer, functools.partial(_delta, gain=gain))


def _delta(sizes: Canonical, key: Key, *, gain: float) -> Tensor:
    weight = torch.zeros(sizes.shape)
    if weight.numel():
        rows = sizes.groups * sizes.num_out
        draw = Orthogonal(gain, sizes.num_out, sizes.num_in, sizes.groups)
        flat = drawn((rows, sizes.num_in), draw, key)
        tap(weight, sizes.centre).copy_(flat.reshape(sizes.shape[:3]))
    return weight


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
        "delta_orthogonal",
        "orthogonal",
        "Orthogonal centre tap, all other taps zero.",
        (GAIN,),
        ("conv",),
        _XIAO,
        delta_orthogonal,
        activations=("tanh", "identity"),
        instead="orthogonal",
    ),
)
