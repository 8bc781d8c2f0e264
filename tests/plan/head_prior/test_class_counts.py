from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from initium.errors import UsageError, UsageTypeError
from initium.plan.head_prior.class_counts import Counts, counts_of, given

LABELS = torch.tensor([0, 0, 2, 0, 1, 2])
WANTED = Counts((3.0, 1.0, 2.0), 6.0)


class Pairs(Dataset):
    """A data set without an iterator, as torch's are."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.zeros(2), int(LABELS[index])


def count(data, num_classes=None, ignore_index=-100):
    return counts_of(data, num_classes=num_classes, ignore_index=ignore_index)


@pytest.mark.parametrize(
    "data",
    [
        LABELS, LABELS.reshape(2, 3), LABELS.tolist(), LABELS.numpy(), Counter(LABELS.tolist()), {2: 2, 0: 3, 1: 1},
        TensorDataset(torch.zeros(6, 2), LABELS), DataLoader(TensorDataset(torch.zeros(6, 2), LABELS), batch_size=4),
        Pairs(), DataLoader(Pairs(), batch_size=2), SimpleNamespace(targets=LABELS.tolist()),
        [{"x": torch.zeros(4, 2), "labels": LABELS[:4]}, {"x": torch.zeros(2, 2), "labels": LABELS[4:]}],
        [([torch.zeros(3, 8, 8)] * 2, [{"boxes": torch.zeros(3, 4), "labels": LABELS[:3]}, {"labels": LABELS[3:]}])],
        (LABELS[i : i + 2] for i in range(0, 6, 2)),
    ],
    ids=lambda data: type(data).__name__,
)  # fmt: skip
def test_labels_come_in_many_kinds(data):
    assert count(data) == WANTED


def test_pixels_and_the_ignored_ones():
    masks = torch.tensor([[0, 1], [255, 1]])
    assert count(masks, ignore_index=255) == Counts((1.0, 2.0), 3.0)
    with pytest.raises(UsageError, match="class number 255") as raised:
        count(masks, num_classes=2)
    assert "ignore_index=" in raised.value.remedy
    with pytest.raises(UsageError, match="class number -1"):
        count(torch.tensor([0, -1]))


def test_several_classes_at_once():
    assert count(torch.tensor([[1.0, 0.0], [1.0, 1.0]])) == Counts((2.0, 1.0), 2.0)
    for wrong in (torch.tensor([1.0, 2.0]), torch.tensor([[0.5, 1.5]]), torch.rand(3, 3)):
        with pytest.raises(UsageError, match="floating-point labels"):
            count(wrong, num_classes=2)


def test_classes_that_no_label_shows_are_counted_as_none():
    assert count(LABELS, num_classes=5).counts == (3.0, 1.0, 2.0, 0.0, 0.0)
    assert count([torch.tensor([0]), torch.tensor([2])]).counts == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ([], "no labels to count"), (torch.tensor([-100]), "no labels to count"),
        ([{"image": 1, "mask": 2}], "no labels in a batch: a dict with image, mask"),
        ([(torch.zeros(2),)], "no labels in a batch: a tuple of one"),
        ([(torch.zeros(2), "cat")], "no labels in a batch: a str"), ({"cat": 3}, "class numbers"),
        ({5: 1, -1: 2}, "class numbers"),
    ],
)  # fmt: skip
def test_loaders_without_labels(data, match):
    with pytest.raises(UsageError, match=match):
        count(data)


@pytest.mark.parametrize("data", [3, "cat,dog", None])
def test_what_holds_no_labels(data):
    with pytest.raises(UsageTypeError, match="labels are a"):
        count(data)


@pytest.mark.parametrize(
    ("counts", "total"), [([], None), ([0, 0], None), ([-1, 3], None), ([1, float("nan")], None), ([5, 1], 4)]
)
def test_wrong_counts(counts, total):
    with pytest.raises(UsageError, match="class counts"):
        given(counts, total)


def test_counts_of_any_kind():
    assert given(np.array([3, 1]), None) == given(torch.tensor([3, 1]), None) == Counts((3.0, 1.0), 4.0)
    assert given([3, 1], 10).total == 10
