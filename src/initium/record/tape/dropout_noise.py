"""Random factors and terms that a run draws for its values, as dropout does: known by their first two moments."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from initium.record.tape import ops

CHANCE = 4.0
"""Standard errors within which a mean of 0 or 1 is meant to be that."""


class Noise(NamedTuple):
    """Moments of a random factor."""

    mean: float
    second: float


def draws(func: Any, inputs: Iterable[bool]) -> bool:
    """Whether an operation yields random numbers: it draws them, or takes some.

    Args:
        func: the operation.
        inputs: whether each of its tensors holds random numbers.
    """
    return torch.Tag.nondeterministic_seeded in getattr(func, "tags", ()) or any(inputs)


def noise_of(tensor: Tensor) -> Noise | None:
    """The moments of random numbers; None where they cannot be looked at, or are not finite."""
    if tensor.is_meta or tensor.numel() == 0 or tensor.is_complex():
        return None
    values = tensor.detach().double() if tensor.dtype == torch.bool else tensor.detach()
    size = torch.promote_types(values.dtype, torch.float32)
    mean, second = float(values.mean(dtype=size)), float(values.to(size).square().mean())
    if not math.isfinite(second):
        return None
    error = math.sqrt(max(second - mean**2, 0.0) / tensor.numel())
    meant = next((whole for whole in (0.0, 1.0) if abs(mean - whole) <= CHANCE * error), mean)
    return Noise(meant, second)


def of_dropout(name: str, args: tuple[Any, ...]) -> Noise | None:
    """The factor of the one operation that draws and multiplies at once; None for others, and in evaluation."""
    if not ops.is_dropout(name) or args[2] is False or not 0 < args[1] < 1:
        return None
    return Noise(1.0, 1 / (1 - args[1]))
