"""Segmentation: mean IoU by hand, ignored pixels, small outputs enlarged."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.errors import UsageError
from initium.study.tasks.goals.segmentation import IGNORED, Segmentation, confusion_of, mean_iou
from initium.study.tasks.samples import Batch

GOAL = Segmentation()


class Fixed(nn.Module):
    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output


def batch() -> Batch:
    mask = torch.zeros(1, 4, 4, dtype=torch.int64)
    mask[0, :2] = 1
    return Batch(torch.zeros(1, 3, 4, 4), mask)


def test_mean_iou_by_hand() -> None:
    confusion = confusion_of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]), 3)
    assert confusion.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert mean_iou(confusion) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_the_truth_is_perfect() -> None:
    truth = F.one_hot(batch().targets, 3).permute(0, 3, 1, 2).float() * 30
    scores = GOAL.score(Fixed(truth), iter([batch()]), 3)
    assert scores.metric == 1.0
    assert scores.loss == pytest.approx(0.0, abs=1e-6)


def test_ignored_pixels_do_not_count() -> None:
    given = batch()
    given.targets[0, 0] = IGNORED
    truth = F.one_hot(batch().targets, 2).permute(0, 3, 1, 2).float() * 30
    truth[:, :, 0] = -truth[:, :, 0]
    scores = GOAL.score(Fixed(truth), iter([given]), 2)
    assert scores.metric == 1.0
    assert scores.loss == pytest.approx(0.0, abs=1e-6)


def test_small_outputs_are_enlarged() -> None:
    assert float(GOAL.loss(torch.zeros(1, 2, 2, 2), batch())) == pytest.approx(math.log(2))


@pytest.mark.parametrize("shape", [(1, 3), (1, 4, 4, 4), (2, 3, 4, 4)])
def test_an_output_that_does_not_fit_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="a logit for every class and pixel"):
        GOAL.check_output(torch.zeros(shape), batch(), 3)
