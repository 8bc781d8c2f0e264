"""Centred weights: rows that sum to zero do not pass on the mean of what feeds them."""

from __future__ import annotations

import functools

from torch import Tensor

from initium.methods.energy import Energy
from initium.methods.layout import Canonical, built, canonical, drawn
from initium.methods.method import Method, Paper, Param
from initium.methods.scaling import GAIN
from initium.random.distributions import Draw, Orthogonal
from initium.random.key import Key
from initium.theory.layer import Kind, Layer

_HUANG = Paper("Huang et al.", 2017, "Centered Weight Normalization in Accelerating Training of DNNs")
_SERVED: tuple[Kind, ...] = ("linear", "conv")


def centred_orthogonal(layer: Layer, *, gain: float, centring: float) -> Draw:
    """W = gain (Q - c mean_row(Q)), Q orthogonal per group, scaled to E[w^2] = 1 / fan_in before centring.

    An activation with a mean (sigmoid, softplus, ELU) sends the same large component through every row, so all
    inputs look alike after a few layers. With c = 1 rows sum to zero and only the varying part E f^2 - (E f)^2
    passes: the forward fixed point is w = q / (v + (1 - c)^2 m^2) for weights of variance w / fan_in.

    Published as a constraint kept during training; here it is the start alone.

    Reference: Huang et al. (2017), Centered Weight Normalization, ICCV.
    """
    return built(layer, functools.partial(_centred, gain=gain, centring=centring))


def _centred(sizes: Canonical, key: Key, *, gain: float, centring: float) -> Tensor:
    cols = sizes.num_in * sizes.taps
    unit = gain * (max(sizes.num_out, cols) / cols) ** 0.5
    whole = drawn(sizes.shape, Orthogonal(unit, sizes.num_out, cols, sizes.groups), key)
    axes = tuple(range(2, whole.dim()))
    return whole - centring * whole.mean(axes, keepdim=True) if cols > 1 else whole


def _centred_energy(layer: Layer, *, gain: float, centring: float) -> Energy:
    """Of a row, 1 / cols lies along its mean on average, of which (1 - c)^2 is left."""
    sizes = canonical(layer)
    cols = sizes.num_in * sizes.taps
    whole = gain**2 * max(sizes.num_out, cols) / cols * min(sizes.num_out, cols) * sizes.groups
    left = 1 - (1 - (1 - centring) ** 2) / cols if cols > 1 else 1.0
    return Energy(even=whole * left)


METHODS = (
    Method(
        "centred_orthogonal",
        "centred",
        "Orthogonal rows with their mean taken out, for activations with a mean.",
        (GAIN, Param("centring", 1.0, "share of each row's mean that is taken out", low=0.0, high=1.0)),
        _SERVED,
        _HUANG,
        centred_orthogonal,
        activations=("sigmoid", "softplus", "elu", "hardsigmoid"),
        energy=_centred_energy,
    ),
)
