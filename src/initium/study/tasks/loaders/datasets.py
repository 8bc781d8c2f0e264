"""Any torch Dataset as samples: (picture, target) pairs, checked before the first trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from initium.errors import UsageError
from initium.study.tasks.samples import Batch, Boxes
from initium.study.tasks.segmentation import IGNORED

MOST_CHECKED = 2000


class DatasetSamples:
    """Samples of a map-style Dataset whose items are (float tensor (C, H, W), target).

    The target is an int (classification), an int64 tensor (H, W) (segmentation), or a mapping with `boxes`
    (M, 4; left, top, right, bottom in pixels) and `labels` (M,) (detection).

    Args:
        dataset: has `__len__` and `__getitem__`.
        kind: of the task.
        name: "training" or "test", for errors.
    """

    def __init__(self, dataset: Dataset[Any], kind: str, name: str) -> None:
        self.dataset, self.kind, self.name = dataset, kind, name
        self._size = _length(dataset, name)

    def __len__(self) -> int:
        return self._size

    def take(self, indices: Tensor) -> Batch:
        """The items at `indices`, stacked."""
        items = [self.dataset[i] for i in indices.tolist()]
        inputs = torch.stack([torch.as_tensor(picture).float() for picture, _ in items])
        targets = [target for _, target in items]
        if self.kind == "detection":
            return Batch(inputs, [_boxes_of(target) for target in targets])
        stacked = [torch.as_tensor(target) for target in targets]
        return Batch(inputs, torch.stack(stacked).long())

    def check(self) -> int:
        """Looks at every item (at most 2,000, evenly) and returns how many classes there are.

        Raises:
            UsageError: an item has not the form that the task needs; its index is named.
        """
        step = max(1, len(self) // MOST_CHECKED)
        shape: tuple[int, ...] = ()
        most, seen = -1, set()
        for index in range(0, len(self), step):
            picture, labels = self._checked(index)
            if shape and picture.shape != shape:
                raise self._fault(
                    index, f"a picture of shape {tuple(picture.shape)}", f"{shape}, as the first one"
                )
            shape = tuple(picture.shape)
            seen |= set(torch.unique(labels).tolist())
        most = max(seen - {IGNORED}, default=-1)
        if self.kind != "detection" and len(seen - {IGNORED}) < 2:
            raise UsageError(
                f"the {self.name} dataset holds only the class {sorted(seen)}",
                expected="at least two classes",
                remedy="check the targets, and whether the data are sorted and cut",
            )
        return int(most) + 1

    def _checked(self, index: int) -> tuple[Tensor, Tensor]:
        """Picture and class numbers of an item, its form checked."""
        item: Any = self.dataset[index]
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
        if self.kind == "detection":
            return self._box_labels(index, target, picture)
        labels = torch.as_tensor(target)
        size = picture.shape[1:] if self.kind == "segmentation" else ()
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
        if bool(outside) or bool((one.boxes[:, 2:] <= one.boxes[:, :2]).any()):
            raise self._fault(
                index, "a box that is empty or outside", f"boxes within {tuple(picture.shape[:0:-1])}"
            )
        return one.labels

    def _fault(self, index: int, seen: str, expected: str) -> UsageError:
        return UsageError(
            f"item {index} of the {self.name} dataset: {seen}",
            expected=expected,
            remedy=f"change the Dataset so that its items have the form of a {self.kind} task",
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
