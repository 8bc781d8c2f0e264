"""Centred weights: rows that sum to zero do not pass on the mean of what feeds them."""

from __future__ import annotations

import functools

from torch import Tensor

from initium.methods.families.variance_kit import GAIN
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import Method, Paper, Param
from initium.random.distributions import Draw, Orthogonal
from initium.random.key import Key
from initium.theory.layer import Kind, Layer

_HUANG = Paper("Huang et al.", 2017, "Centered Weight Normalization in Accelerating Training of DNNs")
_SERVED: tuple[Kind, ...] = ("linear", "conv")


def centred_orthogonal(layer: Layer, *, gain: float, centring: float, over: str) -> Draw:
    """W = gain (Q - c mean_row(Q)), Q orthogonal per group, scaled to E[w^2] = 1 / fan_in before centring.

    An activation with a mean (sigmoid, softplus, ELU) sends the same large component through every row, so the
    sample correlation is near 1 after a few layers. With c = 1 rows sum to zero and only the varying part
    E f^2 - (E f)^2 passes: the forward fixed point is w = q / (v + (1 - c)^2 m^2) for weights of variance w / fan_in.

    A convolution that pads with zeros sees part of its row at the border, and a part of a row that sums to zero does
    not. With over="tap" the inputs at each tap sum to zero (where there are two or more), and so does every part;
    otherwise deep nets pass on the pattern of the border, the same for all inputs (evidence: E-tap-centring).

    Published over rows and as a constraint kept during training; here it is the start alone.

    Reference: Huang et al. (2017), Centered Weight Normalization, ICCV.
    """
    return built(layer, functools.partial(_centred, gain=gain, centring=centring, over=over))


def _centred(sizes: Canonical, key: Key, *, gain: float, centring: float, over: str) -> Tensor:
    cols = sizes.num_in * sizes.taps
    unit = gain * (max(sizes.num_out, cols) / cols) ** 0.5
    whole = drawn(sizes.shape, Orthogonal(unit, sizes.num_out, cols, sizes.groups), key)
    axes = (2,) if _by_tap(sizes, over) else tuple(range(2, whole.dim()))
    # A row of one weight less its mean would be zero.
    return whole - centring * whole.mean(axes, keepdim=True) if cols > 1 else whole


def _by_tap(sizes: Canonical, over: str) -> bool:
    return over == "tap" and sizes.num_in > 1


def _centred_energy(layer: Layer, *, gain: float, centring: float, over: str) -> Energy:
    """Of n values with a mean of their own, 1 / n lies along it on average, of which (1 - c)^2 is left."""
    sizes = canonical(layer)
    cols = sizes.num_in * sizes.taps
    whole = gain**2 * max(sizes.num_out, cols) / cols * min(sizes.num_out, cols) * sizes.groups
    values = sizes.num_in if _by_tap(sizes, over) else cols
    left = 1 - (1 - (1 - centring) ** 2) / values if cols > 1 else 1.0
    return Energy(even=whole * left)


METHODS = (
    Method(
        "centred_orthogonal",
        "centred",
        "Orthogonal rows with their mean taken out, for activations with a mean.",
        (
            GAIN,
            Param("centring", 1.0, "share of each mean that is taken out", low=0.0, high=1.0),
            Param(
                "over", "row", "what a mean is of: a row, or its inputs at each tap", choices=("row", "tap")
            ),
        ),
        _SERVED,
        _HUANG,
        centred_orthogonal,
        activations=("sigmoid", "softplus", "elu", "hardsigmoid"),
        energy=_centred_energy,
    ),
)
