"""Detection: places answer for objects, perfect output is perfect, a model learns."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.study.tasks.goals.detection import Detection, assign, best, dense, focal, padded
from initium.study.tasks.samples import Batch, Boxes

GOAL = Detection()


def batch_of_two() -> Batch:
    boxes = [[4.0, 4.0, 20.0, 24.0], [20.0, 20.0, 44.0, 40.0]]
    targets = [
        Boxes(torch.tensor(boxes), torch.tensor([0, 2])),
        Boxes(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)),
    ]
    return Batch(torch.zeros(2, 3, 48, 48), targets)


def perfect(batch: Batch, num_classes: int = 3, side: int = 12) -> Tensor:
    """The output that says the truth at every place that answers for an object."""
    output = torch.zeros(len(batch.inputs), num_classes + 4, side, side)
    _, _, centres, stride = dense(output, batch.inputs)
    labels, boxes = assign(centres, stride, batch.targets)
    flat = output.flatten(2)
    flat[:, :num_classes] = -12.0
    for picture, place in (labels >= 0).nonzero().tolist():
        flat[picture, labels[picture, place], place] = 12.0
        left, top, right, bottom = boxes[picture, place]
        x, y = centres[place]
        distances = torch.stack([x - left, y - top, right - x, bottom - y]) / stride[0]
        flat[picture, num_classes:, place] = torch.log(torch.expm1(distances))
    return flat.view_as(output)


class Fixed(nn.Module):
    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        return self.output


def test_the_truth_has_no_loss_and_full_precision() -> None:
    batch = batch_of_two()
    output = perfect(batch)
    assert float(GOAL.loss(output, batch)) == pytest.approx(0.0, abs=1e-4)
    scores = GOAL.score(Fixed(output), iter([batch]), 3)
    assert scores.metric == pytest.approx(1.0)


def test_silence_finds_nothing() -> None:
    batch = batch_of_two()
    scores = GOAL.score(Fixed(torch.full((2, 7, 12, 12), -9.0)), iter([batch]), 3)
    assert scores.metric == 0.0


def test_places_answer_for_the_smallest_object_they_are_central_to() -> None:
    batch = batch_of_two()
    large = Boxes(torch.tensor([[0.0, 0.0, 48.0, 48.0], [16.0, 16.0, 32.0, 32.0]]), torch.tensor([0, 1]))
    centres, stride = dense(torch.zeros(1, 6, 12, 12), batch.inputs[:1])[2:]
    labels, boxes = assign(centres, stride, [large])
    middle = ((centres - 24).abs() < 3).all(dim=1)
    assert set(labels[0, middle].tolist()) == {1}
    assert bool((boxes[0, middle] == large.boxes[1]).all())
    assert int((labels >= 0).sum()) <= 16


def test_focal_loss_against_its_formula() -> None:
    logits, truth = torch.tensor([[0.3, -2.0]]), torch.tensor([[1.0, 0.0]])
    p, q = torch.sigmoid(logits[0]).tolist()
    expected = -0.25 * (1 - p) ** 2 * math.log(p) - 0.75 * q**2 * math.log(1 - q)
    assert float(focal(logits, truth)) == pytest.approx(expected, rel=1e-5)


def test_nan_outputs_are_nothing_found() -> None:
    found = best(torch.full((1, 4, 2), math.nan), torch.full((1, 4, 4), math.nan))
    assert float(found.scores.sum()) == 0.0


def test_padding() -> None:
    boxes, labels = padded(batch_of_two().targets)
    assert boxes.shape == (2, 2, 4)
    assert labels.tolist() == [[0, 2], [-1, -1]]


@pytest.mark.parametrize("shape", [(2, 6, 12, 12), (2, 7), (1, 7, 12, 12)])
def test_an_output_that_does_not_fit_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="7, height, width"):
        GOAL.check_output(torch.zeros(shape), batch_of_two(), 3)


def test_torchvision_detectors_bring_their_own_losses() -> None:
    detection = pytest.importorskip("torchvision.models.detection")
    model = detection.fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=4, min_size=48, max_size=48
    )
    batch = batch_of_two()
    output = GOAL.run(model.train(), batch)
    GOAL.check_output(output, batch, 3)
    assert bool(torch.isfinite(GOAL.loss(output, batch)))
    with torch.no_grad():
        scores = GOAL.score(model.eval(), iter([batch]), 3)
    assert 0.0 <= scores.metric <= 1.0
    assert math.isnan(scores.loss)
