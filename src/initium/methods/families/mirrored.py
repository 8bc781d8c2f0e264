"""Mirrored weights: units are paired with opposite signs, and a ReLU net starts as a linear one."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.methods.families.orthogonal import conv_isometry
from initium.methods.families.variance_kit import GAIN, SLOPE
from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn, tap
from initium.methods.method import Method, Paper, Param, refuse
from initium.random.distributions import Draw, Orthogonal
from initium.random.key import Key
from initium.theory.layer import Kind, Layer

_BALDUZZI = Paper("Balduzzi et al.", 2017, "The Shattered Gradients Problem", "1702.08591")
_GADHIKAR = Paper("Gadhikar, Burkholz", 2022, "Dynamical Isometry for Residual Networks", "2210.02411")
_SERVED: tuple[Kind, ...] = ("linear", "conv")
_ODD_PART = ("relu", "leaky_relu", "gelu", "silu", "hardswish", "identity")


def mirrored(
    layer: Layer,
    *,
    position: str,
    gain: float,
    a: float | None,
    taps: str,
    scale: str,
    parts_out: int,
    parts_in: int,
) -> Draw:
    """W = [[W0, -W0], [-W0, W0]] with W0 orthogonal: at the start the whole net computes a linear map.

    Units come in pairs (h, -h), and f(h) - f(-h) = h for ReLU, GELU, SiLU and hardswish, (1 + a) h
    for a leaky ReLU, so W f(h, -h) = (W0 h, -W0 h): exactly linear, exactly isometric, at any depth.
    position="first" is [W0; -W0], "last" is [W0, -W0]. Convolutions put W0 at the centre tap
    (taps="all": over all taps, linear but not isometric; taps="isometric": over all taps as
    `conv_orthogonal`, where W0 is no wider than high). The halves must be even. Groups are mirrored one by
    one; where a neighbour has more groups, parts_out or parts_in of this layer are halved each, since both
    units of a pair must feed the same group.

    Reference: Balduzzi et al. (2017), arXiv:1702.08591, section 4; Burkholz and Dubatovka (2018),
    arXiv:1806.06362.
    """
    taps = _taps(layer, position, taps)
    gain = _half_gain(layer, position, gain, a, taps, scale)
    parts = (1 if position == "last" else parts_out, 1 if position == "first" else parts_in)
    rows, cols = _halves("mirrored", layer, position)
    for side, count, word in zip((rows, cols), parts, ("outputs", "inputs"), strict=True):
        if side % count:
            raise refuse("mirrored", layer, f"{count} even parts of its {word}", instead="scaled_orthogonal")
    return built(layer, functools.partial(_mirrored, position=position, gain=gain, taps=taps, parts=parts))


def _taps(layer: Layer, position: str, taps: str) -> str:
    """Where W0 sits; a W0 wider than high has no isometry over all taps."""
    rows, cols = _halves("mirrored", layer, position)
    return "all" if taps == "isometric" and rows < cols else taps


def _half_gain(layer: Layer, position: str, gain: float, a: float | None, taps: str, scale: str) -> float:
    """The gain of W0."""
    rows, cols = _halves("mirrored", layer, position)
    inside = canonical(layer).taps if taps == "all" else 1
    # An orthogonal W0 scales by its longer side; the factor keeps the mean square on the way that is asked for.
    if scale != "isometry" and rows * cols:
        kept = cols * inside if scale == "forward" else rows * inside
        gain *= math.sqrt(max(rows, cols * inside) / kept)
    return gain / (1 + (a or 0.0))


def _mirrored_energy(
    layer: Layer, *, position: str, gain: float, a: float | None, taps: str, scale: str, **_parts: int
) -> Energy:
    rows, cols = _halves("mirrored", layer, position)
    taps = _taps(layer, position, taps)
    # W0 stands four times in a hidden weight, twice in a first or last one.
    half = _half_gain(layer, position, gain, a, taps, scale) ** 2 * (4 if position == "hidden" else 2)
    half *= canonical(layer).groups
    if taps == "all":
        return Energy(even=half * min(rows, cols * canonical(layer).taps))
    if taps == "isometric" and canonical(layer).taps > 1:
        return Energy(uneven=half * cols)
    return Energy(centre=half * min(rows, cols))


def _halves(name: str, layer: Layer, position: str) -> tuple[int, int]:
    """Rows and columns of W0, in each group."""
    sizes = canonical(layer)
    odd_out, odd_in = position != "last" and sizes.num_out % 2, position != "first" and sizes.num_in % 2
    if odd_out or odd_in:
        side = f"{sizes.num_out} outputs" if odd_out else f"{sizes.num_in} inputs"
        raise refuse(name, layer, f"an even number of units to pair, not {side}", instead="scaled_orthogonal")
    rows = sizes.num_out if position == "last" else sizes.num_out // 2
    return rows, sizes.num_in if position == "first" else sizes.num_in // 2


def _mirrored(
    sizes: Canonical, key: Key, *, position: str, gain: float, taps: str, parts: tuple[int, int]
) -> Tensor:
    groups, rows = sizes.groups, sizes.num_out if position == "last" else sizes.num_out // 2
    cols = sizes.num_in if position == "first" else sizes.num_in // 2
    half = torch.zeros(groups, rows, cols, *sizes.kernel)
    if taps == "isometric":
        half = conv_isometry(Canonical(groups, rows, cols, sizes.kernel), key, gain=gain)
    elif taps == "all":
        half = drawn(tuple(half.shape), Orthogonal(gain, rows, cols * sizes.taps, groups), key)
    else:
        tap(half, sizes.centre).copy_(drawn((groups, rows, cols), Orthogonal(gain, rows, cols, groups), key))
    return _paired(half, position, parts)


def _paired(half: Tensor, position: str, parts: tuple[int, int] = (1, 1)) -> Tensor:
    wide = half if position == "first" else _with_opposites(half, 2, parts[1])
    return wide if position == "last" else _with_opposites(wide, 1, parts[0])


def _with_opposites(half: Tensor, axis: int, parts: int) -> Tensor:
    """Every part of an axis and, after it, the same with the other sign."""
    cut = half.reshape(*half.shape[:axis], parts, -1, *half.shape[axis + 1 :])
    return torch.cat([cut, -cut], axis + 1).flatten(axis, axis + 1)


def risotto(layer: Layer, *, part: str, alpha: float) -> Draw:
    """Residual blocks x + alpha W2 f(W1 x) that are exactly isometric for paired ReLU inputs.

    The input of a block is a = (f(h), f(-h)) >= 0. part="first": W1 = I, which f passes on;
    part="last": W2 = (M - I) / alpha with M mirrored orthogonal, so that W2 a + a = M a: the pair
    (W0 h, -W0 h). Blocks with a projection on the skip: part="skip" is the mirrored identity E,
    part="last_projected" is (M - E) / alpha. Layers outside blocks: `mirrored`.

    Our derivation of the paper's isometry; of the free choices it takes W1 = I.

    Reference: Gadhikar and Burkholz (2022), arXiv:2210.02411, theorems 2.3 and 2.4.
    """
    sizes = canonical(layer)
    if part != "first":
        if sizes.groups > 1:
            raise refuse(
                "risotto",
                layer,
                "one group: both units of a pair must feed the same weights",
                instead="scaled_orthogonal",
            )
        _halves("risotto", layer, "hidden")
    if part in ("first", "last") and sizes.num_in != sizes.num_out:
        raise refuse("risotto", layer, f'as many inputs as outputs for part="{part}"', instead="mirrored")
    return built(layer, functools.partial(_risotto, part=part, alpha=alpha))


def _risotto(sizes: Canonical, key: Key, *, part: str, alpha: float) -> Tensor:
    weight = torch.zeros(sizes.shape)
    if part == "first":
        tap(weight, sizes.centre).copy_(torch.eye(sizes.num_out, sizes.num_in).expand(sizes.shape[:3]))
        return weight
    rows, cols = sizes.num_out // 2, sizes.num_in // 2
    skip = _paired(torch.eye(rows, cols)[None], "hidden")
    if part == "skip":
        tap(weight, sizes.centre).copy_(skip)
        return weight
    if part == "last":
        skip = torch.eye(sizes.num_out)[None]
    whole = _paired(drawn((1, rows, cols), Orthogonal(1.0, rows, cols), key), "hidden")
    tap(weight, sizes.centre).copy_((whole - skip) / alpha)
    return weight


def _risotto_energy(layer: Layer, *, part: str, alpha: float) -> Energy:
    """Haar matrices have no overlap with the identity on average, so squares add up."""
    sizes = canonical(layer)
    if part == "first":
        return Energy(centre=float(sizes.num_out * sizes.groups))
    paired = 4 * min(sizes.num_out // 2, sizes.num_in // 2)
    if part == "skip":
        return Energy(centre=float(paired))
    return Energy(centre=(paired + (sizes.num_out if part == "last" else paired)) / alpha**2)


METHODS = (
    Method(
        "mirrored",
        "mirrored",
        "Paired units of opposite sign: a ReLU net that starts linear and isometric.",
        (
            Param("position", "hidden", "place in the net", choices=("first", "hidden", "last")),
            GAIN,
            SLOPE,
            Param("taps", "centre", "where W0 sits in a kernel", choices=("centre", "all", "isometric")),
            Param(
                "scale",
                "isometry",
                "for rectangular W0, what is kept",
                choices=("isometry", "forward", "backward"),
            ),
            Param("parts_out", 1, "parts of a group's outputs that are halved each", low=1),
            Param("parts_in", 1, "parts of a group's inputs that are halved each", low=1),
        ),
        _SERVED,
        _BALDUZZI,
        mirrored,
        aliases=("looks_linear", "ll"),
        activations=_ODD_PART,
        instead="scaled_orthogonal",
        energy=_mirrored_energy,
    ),
    Method(
        "risotto",
        "mirrored",
        "Exactly isometric residual blocks without norms.",
        (
            Param("part", "last", "place in the block", choices=("first", "last", "skip", "last_projected")),
            Param("alpha", 1.0, "the block's branch multiplier", low=1e-6),
        ),
        _SERVED,
        _GADHIKAR,
        risotto,
        activations=("relu",),
        instead="scaled_orthogonal",
        energy=_risotto_energy,
    ),
)
