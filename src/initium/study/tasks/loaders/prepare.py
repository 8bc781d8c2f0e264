"""From listings to tensors: reads and resizes every picture once, and says which file is at fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from initium.errors import UsageError
from initium.study.tasks.goals.segmentation import IGNORED
from initium.study.tasks.loaders.images import pillow, read_mask, read_picture, size_of
from initium.study.tasks.loaders.listing import Listed, Outline
from initium.study.tasks.samples import Boxes, TargetForm, Targets

MOST_CLASSES = 254
LEAST_SHARE_SEEN = 0.1
"""Masks of which fewer class numbers occur than this are taken for something else than masks of classes."""
LEAST_SIDE = 1.0
"""Boxes thinner than this many pixels once the picture is resized are widened to it."""


def tensors_of(
    samples: Sequence[Listed], targets: TargetForm, size: int, classes: Sequence[str]
) -> dict[str, Tensor]:
    """Pictures and targets of one split, as tensors that can be kept in a file.

    Args:
        samples: what to read.
        targets: what is said of each picture.
        size: pictures become this many pixels wide and high.
        classes: names, where they are known; () allows any mask value.
    """
    images = torch.stack([_picture(one, size) for one in samples])
    if targets == "labels":
        return {"images": images, "labels": torch.tensor([one.label for one in samples])}
    if targets == "masks":
        return {"images": images, "masks": torch.stack([_mask(one, size, len(classes)) for one in samples])}
    boxes = [_boxes(one, size) for one in samples]
    return {
        "images": images,
        "boxes": torch.cat(boxes) if boxes else torch.zeros(0, 4),
        "labels": torch.tensor([label for one in samples for label in one.labels], dtype=torch.int64),
        "counts": torch.tensor([len(one.labels) for one in samples]),
    }


def targets_of(tensors: dict[str, Tensor], targets: TargetForm) -> Targets:
    """The targets of a split, from its tensors."""
    if targets == "labels":
        return tensors["labels"]
    if targets == "masks":
        return tensors["masks"].to(torch.int64)
    counts = tensors["counts"].tolist()
    pairs = zip(torch.split(tensors["boxes"], counts), torch.split(tensors["labels"], counts), strict=True)
    return [Boxes(boxes, labels) for boxes, labels in pairs]


def num_classes_of(
    masks: Sequence[Tensor], where: Path, files: Sequence[Path], *, named: bool = False
) -> int:
    """One more than the largest class number in the masks of `files` that is not the ignored one.

    Masks are (N, H, W), split by split; `named`: the classes are known.
    """
    values = {int(value) for mask in masks for value in torch.unique(mask)} - {IGNORED}
    if len(values) < 2:
        raise UsageError(
            f"{where}: the masks hold only the class {', '.join(map(str, values)) or 'that is ignored'}",
            expected="masks with at least two classes, background included",
            remedy="check that the masks hold class numbers, not colours or an empty layer",
        )
    if not named and len(values) < LEAST_SHARE_SEEN * (max(values) + 1):
        single = (mask for split in masks for mask in split)
        file = next(
            file for file, mask in zip(files, single, strict=False) if bool((mask == max(values)).any())
        )
        raise UsageError(
            f"{where}: the masks hold {len(values)} values, and the largest is {max(values)}, in {file}",
            expected="class numbers from 0 on, of which most occur",
            remedy=f"number the classes 0, 1, 2, ..., write {IGNORED} where a pixel does not count, or name `classes`",
        )
    return max(values) + 1


def _picture(one: Listed, size: int) -> Tensor:
    if one.size and size_of(one.picture) != tuple(one.size):
        width, height = size_of(one.picture)
        raise UsageError(
            f"{one.picture}: {width} x {height} pixels, but its annotation says {one.size[0]} x {one.size[1]}",
            expected="a picture of the size that was annotated",
            remedy="put the original picture back, or correct width and height in the annotations",
        )
    return read_picture(one.picture, size)


def _boxes(one: Listed, size: int) -> Tensor:
    boxes = torch.tensor(one.boxes).view(-1, 4) * size
    thin = (LEAST_SIDE - (boxes[:, 2:] - boxes[:, :2])).clamp_min(0) / 2
    return torch.cat([boxes[:, :2] - thin, boxes[:, 2:] + thin], dim=1)


def _mask(one: Listed, size: int, num_classes: int) -> Tensor:
    if one.mask is None:
        return _drawn(one.outlines, size)
    mask = read_mask(one.mask, None)
    wrong = mask[(mask >= (num_classes or MOST_CLASSES)) & (mask != IGNORED)]
    if len(wrong):
        most = (num_classes or MOST_CLASSES) - 1
        raise UsageError(
            f"{one.mask}: the value {int(wrong[0])} is no class",
            expected=f"class numbers from 0 to {most}, or {IGNORED} for pixels that do not count",
            remedy="save masks as class numbers, and name every class in `classes`",
        )
    _check_size(one, mask)
    return read_mask(one.mask, size).to(torch.uint8)


def _check_size(one: Listed, mask: Tensor) -> None:
    height, width = mask.shape
    if size_of(one.picture) != (width, height):
        raise UsageError(
            f"{one.mask}: {width} x {height} pixels, but {one.picture} has {size_of(one.picture)}",
            expected="a mask of the size of its picture",
            remedy="export the mask again",
        )


def _drawn(outlines: Sequence[Outline], size: int) -> Tensor:
    """A mask (size, size) of outlines, small objects on top of large ones."""
    layers = sorted((_layer(one, size) for one in outlines), key=lambda layer: -int(layer[1].sum()))
    mask = torch.zeros(size, size, dtype=torch.uint8)
    for label, inside in layers:
        mask[inside] = label
    return mask


def _layer(one: Outline, size: int) -> tuple[int, Tensor]:
    if one.runs:
        height, width = one.runs_size
        values = np.repeat(np.arange(len(one.runs)) % 2, one.runs).reshape(width, height).T
        rows, columns = (np.arange(size) * side // size for side in (height, width))
        return one.label, torch.from_numpy(values[np.ix_(rows, columns)] == 1)
    from PIL import ImageDraw

    canvas = pillow().new("1", (size, size))
    for polygon in one.polygons:
        points = [x * size for x in polygon[: len(polygon) // 2 * 2]]
        ImageDraw.Draw(canvas).polygon(points, fill=1)
    return one.label, torch.from_numpy(np.array(canvas))
