"""Boxes: overlap, suppression and average precision, for many pictures at once.

Shape letters: B pictures, D detections a picture, G true boxes a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of boxes (..., M, 4) and (..., N, 4): (..., M, N); empty boxes overlap nothing."""
    low = torch.maximum(first[..., :, None, :2], second[..., None, :, :2])
    high = torch.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    both = (high - low).clamp_min(0).prod(dim=-1)
    either = area(first)[..., :, None] + area(second)[..., None, :] - both
    return both / either.clamp_min(1e-9)


def area(boxes: Tensor) -> Tensor:
    """Areas of boxes (..., 4)."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(dim=-1)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalized intersection over union of pairs of boxes (M, 4): 1 for equal ones, down to -1 far apart."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    both = (high - low).clamp_min(0).prod(dim=1)
    either = (area(first) + area(second) - both).clamp_min(1e-9)
    hull_low, hull_high = (
        torch.minimum(first[:, :2], second[:, :2]),
        torch.maximum(first[:, 2:], second[:, 2:]),
    )
    hull = (hull_high - hull_low).clamp_min(0).prod(dim=1).clamp_min(1e-9)
    return both / either - (hull - either) / hull


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in B pictures, best first: boxes (B, D, 4), scores (B, D; 0 for none), labels (B, D)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def suppress(found: Detections, *, above: float = 0.5) -> Detections:
    """Sets the score of every detection to 0 that overlaps a better one of its class by more than `above`."""
    near = (overlap(found.boxes, found.boxes) > above) & (
        found.labels[:, :, None] == found.labels[:, None, :]
    )
    kept = found.scores > 0
    for rank in range(1, kept.shape[1]):
        beaten = (near[:, rank, :rank] & kept[:, :rank]).any(dim=1)
        kept[:, rank] &= ~beaten
    return Detections(found.boxes, found.scores * kept, found.labels)


def matched(found: Detections, boxes: Tensor, labels: Tensor, *, above: float = 0.5) -> Tensor:
    """Whether each detection (B, D) is right: it takes the true box (B, G, 4) of its class that it overlaps most.

    A true box is taken once, by the best detection that reaches it; `labels` (B, G) are -1 where there is no box.
    """
    if labels.shape[1] == 0:
        return torch.zeros_like(found.scores, dtype=torch.bool)
    overlaps = overlap(found.boxes, boxes)
    overlaps = overlaps * (found.labels[:, :, None] == labels[:, None, :])
    unmatched = torch.ones_like(labels, dtype=torch.bool)
    right = torch.zeros_like(found.scores, dtype=torch.bool)
    rows = torch.arange(len(boxes))
    for rank in range(found.scores.shape[1]):
        best, which = (overlaps[:, rank] * unmatched).max(dim=1)
        hit = (best >= above) & (found.scores[:, rank] > 0)
        right[:, rank] = hit
        unmatched[rows[hit], which[hit]] = False
    return right


def average_precision(scores: Tensor, right: Tensor, num_true: int) -> float:
    """Area under the precision-recall curve of detections with scores (M,), precision made monotone."""
    if num_true == 0 or len(scores) == 0:
        return 0.0
    hits = right[scores.argsort(descending=True, stable=True)].double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    best_from_here = precision.flip(0).cummax(0).values.flip(0)
    return float((best_from_here * hits).sum() / num_true)


def mean_average_precision(found: Detections, right: Tensor, labels: Tensor, num_classes: int) -> float:
    """Average precision, averaged over the classes that occur in truth; `labels` (B, G), -1 for none."""
    values = []
    for label in range(num_classes):
        num_true = int((labels == label).sum())
        if num_true:
            mine = (found.labels == label) & (found.scores > 0)
            values.append(average_precision(found.scores[mine], right[mine], num_true))
    return sum(values) / len(values) if values else 0.0
