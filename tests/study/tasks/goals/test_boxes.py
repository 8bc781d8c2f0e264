"""Overlap, suppression and average precision, against hand-made cases and plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from initium.study.tasks.goals.boxes import (
    Detections,
    average_precision,
    giou,
    matched,
    mean_average_precision,
    overlap,
    suppress,
)

SQUARE = [0.0, 0.0, 10.0, 10.0]


def random_boxes(*shape: int, seed: int = 0) -> Tensor:
    draws = torch.rand(*shape, 4, generator=torch.Generator().manual_seed(seed)) * 20
    return torch.cat([draws[..., :2], draws[..., :2] + draws[..., 2:]], dim=-1)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (SQUARE, 1.0),
        ([5.0, 0.0, 15.0, 10.0], 50 / 150),
        ([10.0, 0.0, 20.0, 10.0], 0.0),
        ([20.0, 20.0, 30.0, 30.0], 0.0),
        ([5.0, 5.0, 5.0, 5.0], 0.0),
    ],
)
def test_overlap(other: list[float], share: float) -> None:
    assert overlap(torch.tensor([SQUARE]), torch.tensor([other])).item() == pytest.approx(share)


def test_overlap_agrees_with_torchvision() -> None:
    ops = pytest.importorskip("torchvision.ops")
    first, second = random_boxes(7), random_boxes(9, seed=1)
    assert torch.allclose(overlap(first, second), ops.box_iou(first, second), atol=1e-6)
    expected = ops.generalized_box_iou(first, second[:7]).diagonal()
    assert torch.allclose(giou(first, second[:7]), expected, atol=1e-5)


def test_suppression_agrees_with_torchvision() -> None:
    ops = pytest.importorskip("torchvision.ops")
    boxes = random_boxes(3, 30)
    generator = torch.Generator().manual_seed(2)
    scores = torch.rand(3, 30, generator=generator).sort(dim=1, descending=True).values
    labels = torch.randint(0, 2, (3, 30), generator=generator)
    kept = suppress(Detections(boxes, scores, labels), above=0.5).scores > 0
    for row in range(3):
        expected = ops.batched_nms(boxes[row], scores[row], labels[row], 0.5)
        assert kept[row].nonzero().flatten().tolist() == sorted(expected.tolist())


def test_a_true_box_is_found_once_by_the_best() -> None:
    boxes = torch.tensor([[SQUARE, [1.0, 0.0, 11.0, 10.0], [50.0, 50.0, 60.0, 60.0]]])
    found = Detections(boxes, torch.tensor([[0.9, 0.8, 0.7]]), torch.tensor([[0, 0, 0]]))
    right = matched(found, torch.tensor([[SQUARE, SQUARE]]), torch.tensor([[0, -1]]))
    assert right.tolist() == [[True, False, False]]


def test_a_box_of_another_class_is_wrong() -> None:
    found = Detections(torch.tensor([[SQUARE]]), torch.tensor([[0.9]]), torch.tensor([[1]]))
    assert not bool(matched(found, torch.tensor([[SQUARE]]), torch.tensor([[0]])).any())


def test_no_true_boxes_at_all() -> None:
    found = Detections(torch.tensor([[SQUARE]]), torch.tensor([[0.9]]), torch.tensor([[1]]))
    right = matched(found, torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64))
    assert right.tolist() == [[False]]


def test_average_precision_by_hand() -> None:
    scores, right = torch.tensor([0.9, 0.8, 0.7, 0.6]), torch.tensor([True, False, True, False])
    assert average_precision(scores, right, 4) == pytest.approx((1 + 2 / 3) / 4)
    assert average_precision(scores, torch.ones(4, dtype=torch.bool), 4) == pytest.approx(1.0)
    assert average_precision(scores, right, 0) == 0.0
    assert average_precision(torch.zeros(0), torch.zeros(0, dtype=torch.bool), 3) == 0.0


def test_the_mean_is_over_classes_that_occur() -> None:
    found = Detections(torch.zeros(2, 4), torch.tensor([0.9, 0.8]), torch.tensor([0, 2]))
    value = mean_average_precision(found, torch.tensor([True, False]), torch.tensor([0, 1]), 4)
    assert value == pytest.approx(0.5)
