"""Samples of a task: pictures and what is to be said of them, taken by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects in one picture.

    Args:
        boxes: float (M, 4): left, top, right, bottom in pixels.
        labels: int64 (M,).
    """

    boxes: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


TargetForm = Literal["labels", "boxes", "masks"]
"""A class number a picture, boxes with class numbers, or a class number a pixel."""
Targets = Tensor | Sequence[Boxes]
"""Class numbers (N,), masks of class numbers (N, H, W), or one `Boxes` a picture."""


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees: `inputs` float (N, C, H, W) and as many targets."""

    inputs: Tensor
    targets: Any


class Samples(Protocol):
    """A finite set of samples."""

    def __len__(self) -> int: ...

    def take(self, indices: Tensor) -> Batch:
        """The samples at `indices` (int64, one axis) as one batch."""
        ...


@dataclass(frozen=True, eq=False)
class Pictures:
    """Samples held in memory.

    Args:
        images: (N, C, H, W), of bytes or floats.
        targets: as many.
        middle: subtracted from every value, one a channel.
        spread: divides the difference, one a channel.
    """

    images: Tensor
    targets: Targets
    middle: tuple[float, ...] = (0.0,)
    spread: tuple[float, ...] = (1.0,)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> Batch:
        """The samples at `indices`, normalized."""
        inputs = (self.images[indices].float() - self._middle) / self._spread
        if isinstance(self.targets, Tensor):
            return Batch(inputs, self.targets[indices])
        return Batch(inputs, [self.targets[i] for i in indices.tolist()])

    @cached_property
    def _middle(self) -> Tensor:
        return torch.tensor(self.middle).view(-1, 1, 1)

    @cached_property
    def _spread(self) -> Tensor:
        return torch.tensor(self.spread).view(-1, 1, 1)


def normalization(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of every channel of (N, C, H, W), for `Pictures`; at most 2,000 pictures are read."""
    some = images[:: max(1, len(images) // 2000)].double()
    spread, middle = torch.std_mean(some, dim=(0, 2, 3), correction=0)
    return tuple(middle.tolist()), tuple(spread.clamp_min(1e-3).tolist())
