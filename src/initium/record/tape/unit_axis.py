"""Units of a layer: along which axis they lie, and how many of them are dead."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from initium.record.tape import ops
from initium.record.tape.uses import Operand, Use

MAX_POSITIONS = 256
"""Positions, over all samples, at which a unit is looked at."""
MAX_VALUES = 2**17
"""Values of all units together, as long as each unit is looked at in a quarter of those positions."""
NEIGHBOURS = 16
"""Neighbours that are looked at together."""


def channels_of(
    name: str, out: Tensor, uses: Sequence[Use], operands: Sequence[Operand]
) -> tuple[int, int] | None:
    """(number of units, stride of their axis) of the output of an operation; None where the axis is not known."""
    weights = [use for use in uses if use.how == "weight" and use.layer is not None]
    if weights and out.dim() >= 2:
        return out.shape[weights[0].axis], out.stride(weights[0].axis)
    for operand in operands:  # what keeps the shape keeps the order of axes, not always their strides
        alike = ops.categorize(name) != "matmul" and operand.tensor.shape == out.shape
        same = _axis(operand.tensor, operand.channels) if alike and operand.channels else None
        if same is not None:
            return out.shape[same], out.stride(same)
    if name not in ops.NORMS or out.dim() < 2:
        return None
    axis = 1 if ops.NORMS[name] in ("batch", "group") else -1
    return out.shape[axis], out.stride(axis)


def dead_share(out: Tensor, channels: tuple[int, int] | None) -> float | None:
    """Share of units whose output is exactly zero at every sampled position of every sample."""
    axis = _axis(out, channels) if channels is not None else None
    if axis is None or out.numel() == 0 or out.is_meta:
        return None
    units = out.detach().movedim(axis, 0)
    for inner in range(1, units.dim()):
        if (
            units.stride(inner) == 1 and units.shape[inner] > NEIGHBOURS
        ):  # neighbours come with one line of the cache
            units = units.narrow(inner, (units.shape[inner] - NEIGHBOURS) // 2, NEIGHBOURS)
    # Wide layers are looked at in fewer places, but never in so few that a rare unit seems dead.
    limit = max(min(MAX_POSITIONS, MAX_VALUES // units.shape[0]), MAX_POSITIONS // 4)
    while math.prod(units.shape[1:]) > limit:
        largest = max(range(1, units.dim()), key=lambda a: units.shape[a])
        step = min(math.ceil(math.prod(units.shape[1:]) / limit), units.shape[largest])
        units = units.select(largest, units.shape[largest] // 2) if step == units.shape[largest] else units[
            (slice(None),) * largest + (slice(step // 2, None, step),)
        ]  # fmt: skip
    return float((units.abs().amax(tuple(range(1, units.dim()))) == 0).float().mean())


def _axis(out: Tensor, channels: tuple[int, int]) -> int | None:
    for axis in range(out.dim()):
        if out.shape[axis] == channels[0] and out.stride(axis) == channels[1]:
            return axis
    return None
