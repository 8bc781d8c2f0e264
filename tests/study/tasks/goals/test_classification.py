"""Classification: loss and accuracy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.study.tasks.goals.classification import Classification
from initium.study.tasks.samples import Batch

GOAL = Classification()
BATCH = Batch(torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 2, 2]))


class Fixed(nn.Module):
    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> object:
        return self.output


def test_a_model_that_knows_nothing_has_the_loss_ln_k() -> None:
    scores = GOAL.score(Fixed(torch.zeros(4, 3)), iter([BATCH]), 3)
    assert scores.loss == pytest.approx(math.log(3))
    assert scores.metric == 0.25


@pytest.mark.parametrize(
    "wrap", [lambda x: x, lambda x: {"logits": x}, lambda x: (x, x[:1]), lambda x: {"out": x}]
)
def test_the_logits_may_come_in_a_record(wrap: object) -> None:
    logits = torch.eye(3)[BATCH.targets] * 20
    scores = GOAL.score(Fixed(wrap(logits)), iter([BATCH]), 3)  # type: ignore[operator]
    assert scores.metric == 1.0


@pytest.mark.parametrize("output", [torch.zeros(4, 5), torch.zeros(4, 3, 1), torch.zeros(3)])
def test_an_output_that_does_not_fit_is_told(output: Tensor) -> None:
    with pytest.raises(UsageError, match="one logit for each of 3 classes"):
        GOAL.check_output(output, BATCH, 3)


def test_no_tensor_at_all_is_told() -> None:
    with pytest.raises(UsageError, match="returned a dict"):
        GOAL.check_output({"loss": 1}, BATCH, 3)
