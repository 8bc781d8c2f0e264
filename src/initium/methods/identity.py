"""Identity-like weights: the layer starts by passing its input on."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from initium.methods.layout import Canonical, built, tap
from initium.methods.method import Method, Paper, Param
from initium.methods.scaling import GAIN
from initium.random.distributions import Draw
from initium.random.key import Key
from initium.theory.layer import Layer

_LE = Paper("Le, Jaitly, Hinton", 2015, "A Simple Way to Initialize Recurrent Networks", "1504.00941")
_DIRAC = Paper("Zagoruyko, Komodakis", 2017, "DiracNets", "1706.00388")


def identity(layer: Layer, *, gain: float, fill: str) -> Draw:
    """W_ij = gain if i = j else 0; a row without a partner is zero, or repeats (fill="cycle").

    With out > in and fill="zero", as published and in torch, the surplus outputs are dead: they
    give zero, and behind a ReLU they stay so. fill="cycle" copies input i mod in instead.

    Reference: Le, Jaitly and Hinton (2015), arXiv:1504.00941.
    """
    return built(layer, functools.partial(_identity, gain=gain, fill=fill))


def dirac(layer: Layer, *, gain: float, fill: str) -> Draw:
    """The identity at the centre tap of a convolution, in each group; other taps zero.

    Rows beyond the number of inputs are zero, or repeat (fill="cycle"). Differs from
    `torch.nn.init.dirac_`: the layer's own groups are used, torch asks for them as an argument.

    Reference: Zagoruyko and Komodakis (2017), arXiv:1706.00388.
    """
    return built(layer, functools.partial(_identity, gain=gain, fill=fill))


def _identity(sizes: Canonical, key: Key, *, gain: float, fill: str) -> Tensor:
    del key
    weight = torch.zeros(sizes.shape)
    if weight.numel() == 0:
        return weight
    out = torch.arange(sizes.num_out if fill == "cycle" else min(sizes.num_out, sizes.num_in))
    tap(weight, sizes.centre)[:, out, out % sizes.num_in] = gain
    return weight


_FILL = Param("fill", "zero", "rows without a partner: zero, or repeat inputs", choices=("zero", "cycle"))

METHODS = (
    Method(
        "identity",
        "identity",
        "The identity matrix, cut or padded to shape.",
        (GAIN, _FILL),
        ("linear",),
        _LE,
        identity,
        aliases=("eye",),
        activations=("relu", "identity"),
        instead="dirac",
    ),
    Method(
        "dirac",
        "identity",
        "A convolution that passes its input on.",
        (GAIN, _FILL),
        ("conv", "conv_transpose"),
        _DIRAC,
        dirac,
        activations=("relu", "identity"),
        instead="identity",
    ),
)
