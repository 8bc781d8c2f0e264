"""Datasets: every item is looked at before the first trial."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from initium.errors import UsageError
from initium.study.tasks.loaders.datasets import DatasetSamples

PICTURE = torch.zeros(3, 8, 8)


def samples(form: Any, *targets: Any, picture: Any = PICTURE) -> DatasetSamples:
    return DatasetSamples([(picture, target) for target in targets], form, "training")  # type: ignore[arg-type]


def test_the_number_of_classes_is_counted() -> None:
    assert samples("labels", 0, 1, 4).check() == 5
    mask = torch.zeros(8, 8, dtype=torch.int64)
    mask[0], mask[1] = 2, 255
    assert samples("masks", mask).check() == 3
    assert samples("boxes", {"boxes": [[0, 0, 4, 4]], "labels": [1]}).check() == 2


def test_batches_are_stacked() -> None:
    batch = samples("labels", 0, 1, 2).take(torch.tensor([2, 0]))
    assert batch.inputs.shape == (2, 3, 8, 8)
    assert batch.targets.tolist() == [2, 0]
    found = samples("boxes", {"boxes": [], "labels": []}).take(torch.tensor([0])).targets
    assert found[0].boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("form", "target", "reason"),
    [
        ("labels", 1.5, "torch.float32 target"),
        ("labels", [1, 2], r"target of shape \(2,\)"),
        ("labels", -1, "class number -1"),
        ("masks", torch.zeros(4, 4, dtype=torch.int64), r"shape \(4, 4\)"),
        ("boxes", 3, "a int as target"),
        ("boxes", {"boxes": [[0, 0, 4, 4]], "labels": [0, 1]}, "boxes of shape"),
        ("boxes", {"boxes": [[0, 0, 40, 4]], "labels": [0]}, "empty or outside"),
        ("boxes", {"boxes": [[4, 0, 4, 4]], "labels": [0]}, "empty or outside"),
    ],
)
def test_faults_are_told_with_their_index(form: str, target: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=f"item 0 of the training dataset: .*{reason}"):
        samples(form, target).check()


@pytest.mark.parametrize(
    ("picture", "reason"),
    [(torch.zeros(8, 8), "shape"), (torch.full((3, 8, 8), torch.nan), "not finite")],
)
def test_faults_of_pictures_are_told(picture: torch.Tensor, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        samples("labels", 0, 1, picture=picture).check()


def test_pictures_of_two_shapes_are_told() -> None:
    items = [(PICTURE, 0), (torch.zeros(3, 9, 8), 1)]
    with pytest.raises(UsageError, match=r"item 1 of the training dataset: a picture of shape \(3, 9, 8\)"):
        DatasetSamples(items, "labels", "training").check()  # type: ignore[arg-type]


def test_one_class_is_told() -> None:
    with pytest.raises(UsageError, match="holds only the class"):
        samples("labels", 1, 1).check()


def test_of_many_items_drawn_ones_are_looked_at_and_the_rest_is_told_when_it_is_taken() -> None:
    """Every second of 5,000 items is of class 1, so looking at every second one would see one class."""
    small = torch.zeros(1, 2, 2)
    items = [(small, i % 2) for i in range(5000)]
    many = DatasetSamples(items, "labels", "training")  # type: ignore[arg-type]
    many.num_classes = many.check()
    assert many.num_classes == 2
    items[7] = small, 5
    assert many.take(torch.tensor([3, 6])).targets.tolist() == [1, 0]
    with pytest.raises(UsageError, match="item 7 of the training dataset: the class number 5"):
        many.take(torch.tensor([3, 7]))


def test_pixels_that_are_ignored_are_no_class_of_their_own() -> None:
    mask = torch.tensor([[0, 1], [255, 1]])
    marked = DatasetSamples([(torch.zeros(3, 2, 2), mask)] * 2, "masks", "test")  # type: ignore[arg-type]
    marked.num_classes = marked.check()
    assert marked.num_classes == 2
    assert marked.take(torch.tensor([1])).targets.max() == 255
    mask[0, 0] = 2
    with pytest.raises(UsageError, match="item 1 of the test dataset: the class number 2"):
        marked.take(torch.tensor([1]))


def test_nothing_and_streams_are_told() -> None:
    with pytest.raises(UsageError, match="is empty"):
        samples("labels")
    with pytest.raises(UsageError, match="without a length"):
        DatasetSamples(iter([]), "labels", "test")  # type: ignore[arg-type]
