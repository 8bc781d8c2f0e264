"""Object detection without anchors: focal loss for classes, GIoU for boxes, average precision at IoU 0.5.

A model returns (N, K + 4, h, w): at every place K class logits and four numbers whose softplus, times the
stride, are the distances to the left, top, right and bottom of the object there (FCOS, Tian et al. 2019,
with one level). torchvision's own detectors are trained on their own losses.

Shape letters: N pictures, K classes, P places (h * w), G objects a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.study.tasks.goals.boxes import (
    Detections,
    area,
    giou,
    matched,
    mean_average_precision,
    suppress,
)
from initium.study.tasks.goals.outputs import main_tensor
from initium.study.tasks.samples import Batch, Boxes
from initium.study.tasks.task import Scores

ALPHA, GAMMA = 0.25, 2.0
CENTRE = 1.5
"""Places within this many strides of an object's centre answer for it."""
MOST_BOXES = 50
"""Detections kept a picture."""
LEAST_SCORE = 0.02


@dataclass(frozen=True)
class Detection:
    """Targets are one `Boxes` a picture; a model returns (N, K + 4, h, w), or is one of torchvision's detectors."""

    kind: str = "detection"
    metric: str = "AP at IoU 0.5"

    def outputs(self, num_classes: int) -> int:
        """A logit a class and four distances."""
        return num_classes + 4

    def ceiling(self, num_classes: int) -> float:
        """2 + 2 ln(K + 1): twice what torchvision's detectors start from, 2.5 times the dense loss of four classes."""
        return 2.0 + 2.0 * math.log(num_classes + 1)

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """The plain call; a detector of torchvision is given the targets and returns its losses."""
        if is_torchvision_detector(model):
            return model(list(batch.inputs), [_torchvision_target(one) for one in batch.targets])
        return model(batch.inputs)

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """Focal loss plus 1 - GIoU, both a place that answers for an object."""
        if _are_losses(output):
            return torch.stack([value.float() for value in output.values()]).sum()
        logits, boxes, centres, stride = dense(main_tensor(output), batch.inputs)
        return _focal_and_box(logits, boxes, *assign(centres, stride, batch.targets))

    def check_output(self, output: Any, batch: Batch, num_classes: int) -> None:
        """Raises UsageError unless the output is (N, K + 4, h, w) or a dict of losses."""
        if _are_losses(output):
            return
        shape, num = tuple(main_tensor(output).shape), num_classes + 4
        if len(shape) != 4 or shape[:2] != (len(batch.inputs), num):
            raise UsageError(
                f"the model's output has shape {shape}",
                expected=f"({len(batch.inputs)}, {num}, height, width): {num_classes} class logits and 4 distances",
                remedy=f"give the last convolution {num} channels, or use a detector of torchvision",
            )

    def score(self, model: nn.Module, batches: Iterator[Batch], num_classes: int) -> Scores:
        """Average precision over the classes that occur, and the mean loss (nan for torchvision's detectors)."""
        parts, losses, total = [], 0.0, 0
        for batch in batches:
            found, loss = self._found(model, batch, num_classes)
            boxes, labels = padded(batch.targets)
            parts.append((found, matched(found, boxes, labels), labels))
            losses, total = losses + loss * len(batch.targets), total + len(batch.targets)
        found = Detections(
            *(_stacked([getattr(p[0], n) for p in parts]) for n in ("boxes", "scores", "labels"))
        )
        right = _stacked([p[1] for p in parts])
        labels = torch.cat([p[2].flatten() for p in parts])
        return Scores(mean_average_precision(found, right, labels, num_classes), losses / total)

    def _found(self, model: nn.Module, batch: Batch, num_classes: int) -> tuple[Detections, float]:
        if is_torchvision_detector(model):
            return _torchvision_found(model(list(batch.inputs))), float("nan")
        output = self.run(model, batch)
        self.check_output(output, batch, num_classes)
        logits, boxes, *_ = dense(main_tensor(output), batch.inputs)
        return best(logits, boxes), float(self.loss(output, batch))


def dense(output: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Class logits (N, P, K), boxes (N, P, 4), centres of the places (P, 2) and the stride (2,), x before y."""
    height, width = output.shape[-2:]
    stride = torch.tensor([inputs.shape[-1] / width, inputs.shape[-2] / height])
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    centres = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).view(-1, 2) * stride
    places = output.float().flatten(2).transpose(1, 2)
    near, far = torch.split(F.softplus(places[..., -4:]) * torch.cat([stride, stride]), 2, dim=-1)
    return places[..., :-4], torch.cat([centres - near, centres + far], dim=-1), centres, stride


def assign(centres: Tensor, stride: Tensor, targets: Sequence[Boxes]) -> tuple[Tensor, Tensor]:
    """Label (N, P; -1 for none) and box (N, P, 4) that each place answers for: the smallest object it is central to."""
    boxes, labels = padded(targets)
    if boxes.shape[1] == 0:
        return torch.full((len(targets), len(centres)), -1), torch.zeros(len(targets), len(centres), 4)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    near = ((centres[None, :, None] - middle[:, None]).abs() / stride).amax(dim=-1) <= CENTRE
    inside = (centres[None, :, None] > boxes[:, None, :, :2]) & (
        centres[None, :, None] < boxes[:, None, :, 2:]
    )
    candidate = near & inside.all(dim=-1) & (labels >= 0)[:, None]
    size = torch.where(candidate, area(boxes)[:, None], torch.inf)
    smallest, which = size.min(dim=-1)
    chosen = labels.gather(1, which)
    return torch.where(smallest.isfinite(), chosen, -1), boxes.gather(1, which[..., None].expand(-1, -1, 4))


def padded(targets: Sequence[Boxes]) -> tuple[Tensor, Tensor]:
    """Boxes (N, G, 4) and labels (N, G), padded with empty boxes of label -1."""
    most = max((len(one) for one in targets), default=0)
    boxes, labels = torch.zeros(len(targets), most, 4), torch.full((len(targets), most), -1)
    for row, one in enumerate(targets):
        boxes[row, : len(one)], labels[row, : len(one)] = one.boxes, one.labels
    return boxes, labels


def best(logits: Tensor, boxes: Tensor) -> Detections:
    """The best detections of dense predictions: one class a place, the highest scores, overlapping ones suppressed."""
    scores, labels = logits.sigmoid().nan_to_num(0.0).max(dim=-1)
    scores = scores * (scores > LEAST_SCORE)
    top, which = scores.topk(min(MOST_BOXES, scores.shape[1]), dim=1)
    chosen = boxes.nan_to_num(0.0).gather(1, which[..., None].expand(-1, -1, 4))
    return suppress(Detections(chosen, top, labels.gather(1, which)))


def focal(logits: Tensor, truth: Tensor) -> Tensor:
    """The focal loss of binary logits, summed (Lin et al. 2017): alpha 0.25, gamma 2."""
    cross = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    wrong = (logits.sigmoid() - truth).abs()
    return (cross * wrong.square() * (ALPHA * truth + (1 - ALPHA) * (1 - truth))).sum()


def _focal_and_box(logits: Tensor, boxes: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
    chosen = labels >= 0
    num = chosen.sum().clamp_min(1)
    one_hot = torch.zeros_like(logits)
    one_hot[chosen, labels[chosen]] = 1.0
    return (focal(logits, one_hot) + (1 - giou(boxes[chosen], truth[chosen])).sum()) / num


def is_torchvision_detector(model: nn.Module) -> bool:
    """Whether the model takes lists of pictures and of targets, as torchvision's detectors do."""
    return type(getattr(model, "transform", None)).__name__ == "GeneralizedRCNNTransform"


def _are_losses(output: Any) -> bool:
    return (
        isinstance(output, Mapping)
        and bool(output)
        and all(isinstance(value, Tensor) and value.dim() == 0 for value in output.values())
    )


def _torchvision_target(one: Boxes) -> dict[str, Tensor]:
    return {"boxes": one.boxes, "labels": one.labels + 1}


def _torchvision_found(output: Sequence[Mapping[str, Tensor]]) -> Detections:
    boxes, scores, labels = (
        torch.zeros(len(output), MOST_BOXES, 4),
        torch.zeros(len(output), MOST_BOXES),
        torch.full((len(output), MOST_BOXES), -2),
    )
    for row, one in enumerate(output):
        order = one["scores"].argsort(descending=True)[:MOST_BOXES]
        boxes[row, : len(order)], scores[row, : len(order)] = one["boxes"][order], one["scores"][order]
        labels[row, : len(order)] = one["labels"][order] - 1
    return Detections(boxes, scores, labels)


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.flatten(0, 1) for part in parts])
