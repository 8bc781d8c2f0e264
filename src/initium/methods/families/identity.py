"""Identity-like weights: the layer starts by passing its input on."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from initium.methods.families.variance_kit import GAIN
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn, tap
from initium.methods.method import Method, Paper, Param
from initium.random.distributions import Draw, Normal
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
    out = torch.arange(sizes.num_out if fill == "cycle" else min(sizes.num_out, sizes.num_in))
    tap(weight, sizes.centre)[:, out, out % sizes.num_in] = gain
    return weight


def identity_energy(layer: Layer, *, gain: float, fill: str) -> Energy:
    """A one for every input and output that meet."""
    sizes = canonical(layer)
    ones = sizes.num_out if fill == "cycle" else min(sizes.num_out, sizes.num_in)
    return Energy(centre=gain**2 * sizes.groups * ones)


def zero_hadamard(layer: Layer) -> Draw:
    """A partial identity where out <= in, a slice of a scaled Hadamard matrix where out > in.

    Deterministic; the Hadamard part mixes all inputs into the surplus outputs, so that the rank
    can grow beyond the input width, which a padded identity forbids. Elements of the Hadamard part
    are +-2^(-p/2) with p = ceil(log2 out). Convolutions hold it at the centre tap.

    Reference: Zhao, Schaefer and Anandkumar (2021), arXiv:2110.12661, algorithm 1.
    """
    return built(layer, _zero_hadamard)


def _zero_hadamard(sizes: Canonical, key: Key) -> Tensor:
    del key
    weight = torch.zeros(sizes.shape)
    if sizes.num_out <= sizes.num_in:
        matrix = torch.eye(sizes.num_out, sizes.num_in)
    else:
        power = (sizes.num_out - 1).bit_length()
        matrix = _hadamard(power)[: sizes.num_out, : sizes.num_in] / 2 ** (power / 2)
    tap(weight, sizes.centre).copy_(matrix.expand(sizes.shape[:3]))
    return weight


def _zero_hadamard_energy(layer: Layer) -> Energy:
    sizes = canonical(layer)
    if sizes.num_out <= sizes.num_in:
        return Energy(centre=float(sizes.groups * sizes.num_out))
    return Energy(centre=sizes.groups * sizes.num_out * sizes.num_in / 2 ** (sizes.num_out - 1).bit_length())


def _hadamard(power: int) -> Tensor:
    """Sylvester's Hadamard matrix of side 2^power."""
    matrix = torch.ones(1, 1)
    for _ in range(power):
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)], 0)
    return matrix


def idinit(layer: Layer, *, tau: float, noise: float) -> Draw:
    """W_ij = tau where i = j modulo the shorter side, plus a little noise: an identity of full rank.

    Convolutions are read as matrices (out, in * taps), so that outputs keep whole patches ("patch
    maintain"). The noise ("loose" condition) breaks the ties between repeated rows. tau = 1 in the
    stem, tau = 1e-6 for the last weight of a residual branch (IDIZ: nearly zero, but no dead unit).

    Reference: Pan et al. (2025), arXiv:2503.04626, sections 3.1 to 3.3.
    """
    return built(layer, functools.partial(_idinit, tau=tau, noise=noise))


def _idinit(sizes: Canonical, key: Key, *, tau: float, noise: float) -> Tensor:
    rows, cols = sizes.num_out, sizes.num_in * sizes.taps
    weight = drawn((sizes.groups, rows, cols), Normal(0.0, noise), key)
    # Along the longer side the diagonal starts anew, so no unit and no input is left out.
    side, long = min(rows, cols), torch.arange(max(rows, cols))
    if rows >= cols:
        weight[:, long, long % side] += tau
    else:
        weight[:, long % side, long] += tau
    return weight.reshape(sizes.shape)


def _idinit_energy(layer: Layer, *, tau: float, noise: float) -> Energy:
    sizes = canonical(layer)
    rows, cols = sizes.num_out, sizes.num_in * sizes.taps
    return Energy(uneven=sizes.groups * tau**2 * max(rows, cols), even=sizes.groups * noise**2 * rows * cols)


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
        energy=identity_energy,
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
        energy=identity_energy,
    ),
    Method(
        "zero_hadamard",
        "identity",
        "ZerO: partial identity, Hadamard where the layer widens; no randomness.",
        (),
        ("linear", "conv"),
        Paper("Zhao, Schaefer, Anandkumar", 2021, "ZerO Initialization", "2110.12661"),
        zero_hadamard,
        activations=("relu",),
        energy=_zero_hadamard_energy,
    ),
    Method(
        "idinit",
        "identity",
        "Padded identity of full rank with slight noise.",
        (
            Param("tau", 1.0, "value on the diagonals; 1e-6 for the last weight of a branch", low=0.0),
            Param("noise", 1e-6, "standard deviation of the noise", low=0.0),
        ),
        ("linear", "conv"),
        Paper("Pan et al.", 2025, "IDInit", "2503.04626"),
        idinit,
        energy=_idinit_energy,
    ),
)
