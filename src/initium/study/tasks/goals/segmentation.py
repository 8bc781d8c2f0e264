"""Semantic segmentation: a class for every pixel, cross-entropy, mean intersection over union."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.study.tasks.goals.outputs import main_tensor
from initium.study.tasks.samples import Batch
from initium.study.tasks.task import Scores

IGNORED = 255
"""The class number of pixels that count for nothing, as in VOC."""


@dataclass(frozen=True)
class Segmentation:
    """Targets are masks (N, H, W) of class numbers; a model returns logits (N, K, h, w), enlarged to H x W."""

    kind: str = "segmentation"
    metric: str = "mean IoU"

    def outputs(self, num_classes: int) -> int:
        """One logit a class."""
        return num_classes

    def ceiling(self, num_classes: int) -> float:
        """Twice ln K."""
        return 2.0 * math.log(max(2, num_classes))

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """The plain call."""
        return model(batch.inputs)

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """Mean cross-entropy over the pixels that are not ignored."""
        return F.cross_entropy(_logits(output, batch), batch.targets, ignore_index=IGNORED)

    def check_output(self, output: Any, batch: Batch, num_classes: int) -> None:
        """Raises UsageError unless the output is (N, K, h, w)."""
        shape = tuple(main_tensor(output).shape)
        if len(shape) != 4 or shape[:2] != (len(batch.inputs), num_classes):
            raise UsageError(
                f"the model's output has shape {shape}",
                expected=f"({len(batch.inputs)}, {num_classes}, height, width): a logit for every class and pixel",
                remedy=f"give the last convolution {num_classes} channels and do not pool over the picture",
            )

    def score(self, model: nn.Module, batches: Iterator[Batch], num_classes: int) -> Scores:
        """Intersection over union, averaged over the classes that occur."""
        confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        loss, pixels = 0.0, 0
        for batch in batches:
            output = self.run(model, batch)
            self.check_output(output, batch, num_classes)
            logits = _logits(output, batch)
            counted = batch.targets != IGNORED
            loss += float(F.cross_entropy(logits, batch.targets, ignore_index=IGNORED, reduction="sum"))
            pixels += int(counted.sum())
            confusion += confusion_of(logits.argmax(dim=1)[counted], batch.targets[counted], num_classes)
        return Scores(mean_iou(confusion), loss / max(1, pixels))


def confusion_of(predicted: Tensor, true: Tensor, num_classes: int) -> Tensor:
    """How often class i (row) was taken for class j (column)."""
    pairs = torch.bincount(true.flatten() * num_classes + predicted.flatten(), minlength=num_classes**2)
    return pairs.view(num_classes, num_classes)


def mean_iou(confusion: Tensor) -> float:
    """Mean intersection over union of the classes that occur in truth."""
    both = confusion.diagonal().double()
    either = confusion.sum(0) + confusion.sum(1) - confusion.diagonal()
    occurs = confusion.sum(1) > 0
    return float((both[occurs] / either[occurs]).mean()) if bool(occurs.any()) else 0.0


def _logits(output: Any, batch: Batch) -> Tensor:
    logits = main_tensor(output).float()
    size = batch.targets.shape[-2:]
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(logits, size, mode="bilinear", align_corners=False)
