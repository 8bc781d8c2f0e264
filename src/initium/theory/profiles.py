"""How a signal's power lies over a map: zeros around a map leave its border less, and a chain adds that up.

A profile is one row of relative powers, of mean 1, for each axis of space; () is an even one. Powers are taken for
products over the axes, as taps of a kernel are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from initium.theory.layer import Layer

Profile = tuple[tuple[float, ...], ...]
LARGEST_MAP = 1024
"""Positions along an axis from which a border does not matter."""


def through(layer: Layer, profile: Profile, *, backward: bool = False) -> tuple[float, Profile]:
    """(factor on the mean power against an even profile, profile of what comes out) of a convolution.

    Args:
        layer: the convolution, plain or transposed, of a known input size; others give (1, ()).
        profile: of what goes in: the input, or the output's gradient.
        backward: from the output's gradient to the input's.

    Example:
        >>> conv = Layer("conv", (8, 8, 3), padding=(1,), stride=(1,), dilation=(1,), input_size=(4,))
        >>> through(conv, ())[1]
        ((0.8, 1.2, 1.2, 0.8),)
    """
    if (
        layer.kind not in ("conv", "conv_transpose")
        or not layer.input_size
        or max(layer.input_size) > LARGEST_MAP
    ):
        return 1.0, ()
    factor, rows = 1.0, []
    for axis in range(len(layer.kernel)):
        taps = _taps(layer, axis)
        if taps is None:
            return 1.0, ()
        taps = taps.T if layer.transposed != backward else taps
        even = taps.sum(1)
        known = axis < len(profile) and len(profile[axis]) == taps.shape[1]
        power = taps @ torch.tensor(profile[axis], dtype=torch.float64) if known else even
        mean = float(power.mean())
        if mean <= 0:
            return 1.0, ()
        factor *= mean / float(even.mean())
        rows.append(tuple(round(value, 9) for value in (power / mean).tolist()))
    return factor, tuple(rows)


def passed_mean(layer: Layer, row_sum: float, tap_sum: float = 1.0) -> float:
    """What a weight makes of an even input's power, against independent draws: `row_sum` where no tap meets padding.

    Taps that fall on zeros leave a row of a convolution without their share: at the border rows have a mean, if not
    the inputs at each tap sum to zero.

    Args:
        layer: the weight.
        row_sum: mean of (sum of a row)^2 / (its length x E w^2).
        tap_sum: the same of the inputs of a row at each tap.

    Example:
        >>> conv = Layer("conv", (8, 8, 3), padding=(1,), stride=(1,), dilation=(1,), input_size=(4,))
        >>> round(passed_mean(conv, 0.0), 4)
        0.1333
    """
    if (
        layer.kind not in ("conv", "conv_transpose")
        or not layer.input_size
        or max(layer.input_size) > LARGEST_MAP
    ):
        return row_sum
    full = 1.0
    for axis in range(len(layer.kernel)):
        taps = _taps(layer, axis)
        if taps is None:
            return row_sum
        covered = (taps.T if layer.transposed else taps).sum(1) / layer.kernel[axis]
        full *= float(covered.square().mean() / covered.mean().clamp_min(1e-12))
    return tap_sum - (tap_sum - row_sum) * full


def raised(profile: Profile, slope: float) -> Profile:
    """The profile of a function whose power grows as that power of its root's."""
    if not profile or slope == 1.0:
        return profile
    rows = [[max(value, 1e-12) ** slope for value in row] for row in profile]
    return tuple(tuple(value * len(row) / sum(row) for value in row) for row in rows)


def blended(profiles: Sequence[Profile], shares: Sequence[float]) -> Profile:
    """The profile of a sum of independent values that have these shares of its power; () where they do not fit."""
    lengths = {tuple(map(len, one)) for one in profiles}
    if len(lengths) != 1 or not sum(shares) > 0:
        return ()
    weight = torch.tensor(shares, dtype=torch.float64)
    rows = [torch.tensor(at, dtype=torch.float64) for at in zip(*profiles, strict=True)]
    return tuple(tuple((weight @ at / weight.sum()).tolist()) for at in rows)


def _taps(layer: Layer, axis: int) -> Tensor | None:
    """(outputs, inputs) of the convolution along one axis, or its transpose: taps between two positions."""
    size = layer.input_size[axis]
    stride, pad, dilation = (
        values[axis] if values else default
        for values, default in ((layer.stride, 1), (layer.padding, 0), (layer.dilation, 1))
    )
    taps, extra = layer.kernel[axis], layer.output_padding[axis] if layer.output_padding else 0
    reach = dilation * (taps - 1)
    long = (size - 1) * stride - 2 * pad + reach + extra + 1 if layer.transposed else size
    short = size if layer.transposed else (size + 2 * pad - reach - 1) // stride + 1
    return _table(short, long, taps, stride, pad, dilation) if min(short, long) > 0 else None


@lru_cache(maxsize=256)
def _table(short: int, long: int, taps: int, stride: int, pad: int, dilation: int) -> Tensor:
    table = torch.zeros(short, long, dtype=torch.float64)
    for tap in range(taps):
        place = torch.arange(short) * stride + tap * dilation - pad
        inside = (place >= 0) & (place < long)
        table[torch.arange(short)[inside], place[inside]] += 1.0
    return table
