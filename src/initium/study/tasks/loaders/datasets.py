"""Any torch Dataset as samples: (picture, target) pairs, checked before the first trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from initium.errors import UsageError
from initium.study.tasks.goals.segmentation import IGNORED
from initium.study.tasks.samples import Batch, Boxes, TargetForm
from initium.study.tasks.task import data_order

MOST_CHECKED = 2000
ITEM: dict[TargetForm, str] = {
    "labels": "class number",
    "boxes": "mapping with `boxes` and `labels`",
    "masks": "mask of class numbers",
}
"""What the second half of an item is."""


class DatasetSamples:
    """Samples of a map-style Dataset whose items are (float tensor (C, H, W), target).

    The target is an int ("labels"), an int64 tensor (H, W) ("masks"), or a mapping with `boxes`
    (M, 4; left, top, right, bottom in pixels) and `labels` (M,) ("boxes").

    Args:
        dataset: has `__len__` and `__getitem__`.
        targets: their form.
        name: "training" or "test", for errors.
    """

    def __init__(self, dataset: Dataset[Any], targets: TargetForm, name: str) -> None:
        self.dataset, self.targets, self.name = dataset, targets, name
        self._size = _length(dataset, name)
        self.num_classes: int | None = None

    def __len__(self) -> int:
        return self._size

    def take(self, indices: Tensor) -> Batch:
        """The items at `indices`, stacked."""
        items = [self._item(i) for i in indices.tolist()]
        inputs = torch.stack([torch.as_tensor(picture).float() for picture, _ in items])
        found = [target for _, target in items]
        if self.targets == "boxes":
            return Batch(inputs, [_boxes_of(target) for target in found])
        labels = torch.stack([torch.as_tensor(target) for target in found]).long()
        self._check_labels(indices, labels)
        return Batch(inputs, labels)

    def check(self) -> int:
        """Looks at every item (of more than 2,000, at as many drawn ones) and returns how many classes there are.

        Raises:
            UsageError: an item has not the form that the task needs; its index is named.
        """
        (drawn,) = data_order(len(self), seed=0, batch_size=min(len(self), MOST_CHECKED), num_steps=1)
        shape: tuple[int, ...] = ()
        seen: set[int] = set()
        for index in sorted(drawn.tolist()):
            picture, labels = self._checked(index)
            if shape and picture.shape != shape:
                raise self._fault(
                    index, f"a picture of shape {tuple(picture.shape)}", f"{shape}, as the first one"
                )
            shape = tuple(picture.shape)
            seen |= set(torch.unique(labels).tolist())
        if self.targets == "masks":
            seen.discard(IGNORED)
        least = 1 if self.targets == "boxes" else 2
        if len(seen) < least:
            raise UsageError(
                f"the {self.name} dataset holds {f'only the class {min(seen)}' if seen else 'no class'}",
                expected="at least two classes" if least == 2 else "at least one box",
                remedy="check the targets, and whether the data are sorted and cut",
            )
        return max(seen) + 1

    def _item(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            told = f"it raised {type(error).__name__}: {error}"
            raise self._fault(index, told, "a pair (picture, target)") from error

    def _check_labels(self, indices: Tensor, labels: Tensor) -> None:
        """Tells of items that `check` did not look at."""
        if self.num_classes is None:
            return
        wrong = (labels < 0) | (labels >= self.num_classes)
        if self.targets == "masks":
            wrong &= labels != IGNORED
        if bool(wrong.any()):
            row = int(wrong.view(len(wrong), -1).any(dim=1).nonzero()[0])
            expected = (
                f"0 to {self.num_classes - 1}, as the items that were looked at, or all classes in `classes`"
            )
            raise self._fault(int(indices[row]), f"the class number {int(labels[wrong][0])}", expected)

    def _checked(self, index: int) -> tuple[Tensor, Tensor]:
        """Picture and class numbers of an item, its form checked."""
        item = self._item(index)
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise self._fault(index, f"a {type(item).__name__}", "a pair (picture, target)")
        picture = torch.as_tensor(item[0])
        if picture.dim() != 3:
            raise self._fault(
                index, f"a picture of shape {tuple(picture.shape)}", "(channels, height, width)"
            )
        if not bool(torch.isfinite(picture.float()).all()):
            raise self._fault(index, "a picture with values that are not finite", "finite numbers")
        labels = self._labels(index, item[1], picture)
        if len(labels) and int(labels.min()) < 0:
            raise self._fault(index, f"the class number {int(labels.min())}", "0 or more")
        return picture, labels

    def _labels(self, index: int, target: Any, picture: Tensor) -> Tensor:
        if self.targets == "boxes":
            return self._box_labels(index, target, picture)
        labels = torch.as_tensor(target)
        size = picture.shape[1:] if self.targets == "masks" else ()
        if labels.is_floating_point() or labels.shape != size:
            kind = f"{labels.dtype} target of shape {tuple(labels.shape)}"
            raise self._fault(index, kind, f"integers of shape {tuple(size)}")
        return labels.flatten()

    def _box_labels(self, index: int, target: Any, picture: Tensor) -> Tensor:
        if not isinstance(target, Mapping) or not {"boxes", "labels"} <= set(target):
            raise self._fault(
                index, f"a {type(target).__name__} as target", "a mapping with `boxes` and `labels`"
            )
        one = _boxes_of(target)
        if one.boxes.shape != (len(one.labels), 4):
            raise self._fault(index, f"boxes of shape {tuple(one.boxes.shape)}", f"({len(one.labels)}, 4)")
        high = torch.tensor([picture.shape[2], picture.shape[1]] * 2)
        outside = ((one.boxes < -1) | (one.boxes > high + 1)).any() if len(one) else False
        if bool(outside) or not bool((one.boxes[:, 2:] > one.boxes[:, :2]).all()):  # nan is not larger either
            raise self._fault(
                index, "a box that is empty or outside", f"boxes within {tuple(picture.shape[:0:-1])}"
            )
        return one.labels

    def _fault(self, index: int, seen: str, expected: str) -> UsageError:
        return UsageError(
            f"item {index} of the {self.name} dataset: {seen}",
            expected=expected,
            remedy=f"change the Dataset so that its items are pairs (picture, {ITEM[self.targets]})",
        )


def _boxes_of(target: Any) -> Boxes:
    return Boxes(
        torch.as_tensor(target["boxes"]).float().view(-1, 4), torch.as_tensor(target["labels"]).long()
    )


def _length(dataset: Any, name: str) -> int:
    try:
        size = len(dataset)
    except TypeError as error:
        raise UsageError(
            f"the {name} dataset is a {type(dataset).__name__} without a length",
            expected="a map-style Dataset with __len__ and __getitem__",
            remedy="wrap an iterable dataset in a list of its first items",
        ) from error
    if size == 0:
        raise UsageError(
            f"the {name} dataset is empty", expected="at least one item", remedy="check its source"
        )
    return size
