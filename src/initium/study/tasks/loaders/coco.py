"""COCO: one JSON file with `images`, `annotations` and `categories`, and a directory of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from initium.errors import UsageError
from initium.study.tasks.loaders.listing import Listed, Listing, Outline, split_of
from initium.study.tasks.loaders.located_errors import Problems, line_of, place, read_json
from initium.study.tasks.samples import TargetForm

COCO_SLACK = 1.0
"""Boxes may reach this many pixels out of the picture, by rounding."""
Keys = Sequence[str | int]
BEYOND = 1e9
"""No number of pixels; this tells nan and infinity as well."""
IDS = ("id", "image_id", "category_id")
COCO_REMEDY = "correct the entries that are named, or export the annotations again"


def list_coco(
    path: Path,
    *,
    targets: TargetForm,
    images: Path | None = None,
    test: Path | None = None,
    test_images: Path | None = None,
) -> Listing:
    """The listing of a COCO file, and of a second one if there is one; `targets` is "boxes" or "masks"."""
    train = CocoFile(path, images, targets)
    tested = CocoFile(test, test_images or images, targets, numbers=train.numbers) if test else None
    background = ("background",) if targets == "masks" else ()
    found = split_of(test, tested.listed()) if tested else ()
    return Listing((*background, *train.classes), train.listed(), found, path)


class CocoFile:
    """One COCO file, checked as it is read.

    Args:
        path: the file.
        images: directory of the pictures; looked for beside the file where it is None.
        targets: "boxes" or "masks".
        numbers: class number of each category, from the training file; made from this file where it is None.
    """

    def __init__(
        self, path: Path, images: Path | None, targets: TargetForm, numbers: dict[int, int] | None = None
    ) -> None:
        self.path, self.targets = path, targets
        self.content = read_json(path)
        self.problems = Problems(f"{path} has faults")
        self._check_parts()
        self.directory = images or _picture_directory(path, self.content["images"])
        self.names = {one.get("id"): str(one.get("name")) for one in self.content["categories"]}
        self.numbers = numbers or {key: number for number, key in enumerate(sorted(self.names))}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the categories, in the order of their numbers."""
        return tuple(self.names[key] for key in sorted(self.names))

    def listed(self) -> tuple[Listed, ...]:
        """Every picture with its objects; raises UsageError for what is wrong, with lines."""
        pictures = self._pictures()
        boxes: dict[Any, list[Any]] = {key: [] for key in pictures}
        for index, one in enumerate(self.content["annotations"]):
            found = self._object(index, one, pictures)
            if found is not None:
                boxes[one["image_id"]].append(found)
        self.problems.raise_if_any(COCO_REMEDY)
        return tuple(self._entry(*pictures[key], boxes[key]) for key in pictures)

    def _entry(self, picture: Path, size: tuple[int, int], found: list[Any]) -> Listed:
        if self.targets == "masks":
            return Listed(picture, outlines=tuple(found), size=size)
        boxes, labels = tuple(box for box, _ in found), tuple(label for _, label in found)
        return Listed(picture, boxes=boxes, labels=labels, size=size)

    def _check_parts(self) -> None:
        for key in ("images", "annotations", "categories"):
            if not isinstance(self.content, dict) or not isinstance(self.content.get(key), list):
                raise UsageError(
                    f"{self.path}: no list {key!r}",
                    expected="a COCO file: an object with the lists images, annotations and categories",
                    remedy="give the file of the instances, such as instances_train2017.json",
                )
            for index, one in enumerate(self.content[key]):
                if not isinstance(one, dict):
                    self._problem((key, index), f"{str(one)[:50]} is no entry", "an object with its fields")
                elif key == "categories" and type(one.get("id")) is not int:
                    self._problem((key, index), f"the id {one.get('id')!r}", "a whole number")
                elif not all(isinstance(one.get(name), (int, str, type(None))) for name in IDS):
                    self._problem(
                        (key, index), "an id that is no number or text", f"{', '.join(IDS)} of such kinds"
                    )
        self.problems.raise_if_any(COCO_REMEDY)

    def _pictures(self) -> dict[Any, tuple[Path, tuple[int, int]]]:
        """File and size of every picture, by its id."""
        there = {path.name for path in self.directory.iterdir()}
        found: dict[Any, tuple[Path, tuple[int, int]]] = {}
        for index, one in enumerate(self.content["images"]):
            name, size = one.get("file_name"), (one.get("width"), one.get("height"))
            if not isinstance(name, str) or not all(type(side) is int and 0 < side < BEYOND for side in size):
                self._problem(("images", index), "a picture without file_name, width or height", "all three")
            elif name not in there and not (self.directory / name).is_file():
                self._problem(("images", index), f"no picture {name!r}", f"{self.directory / name}")
            else:
                found[one.get("id")] = self.directory / name, size
        return found

    def _object(self, index: int, one: dict[str, Any], pictures: dict[Any, Any]) -> Any:
        """Box and label, or outline, of an annotation; None for crowds and for faults."""
        where = ("annotations", index)
        if one.get("category_id") not in self.numbers:
            known = ", ".join(map(str, sorted(self.numbers)[:20]))
            return self._problem(
                where, f"category_id {one.get('category_id')!r} is no category", f"one of {known}"
            )
        if one.get("image_id") not in pictures:
            return self._problem(
                where, f"image_id {one.get('image_id')!r} is no picture", "the id of a picture"
            )
        label, size = self.numbers[one["category_id"]], pictures[one["image_id"]][1]
        if self.targets == "masks":
            return self._outline(where, one, label + 1, size)
        return None if one.get("iscrowd") else self._box(where, one.get("bbox"), label, size)

    def _box(self, where: Keys, box: Any, label: int, size: tuple[int, int]) -> Any:
        if not isinstance(box, list) or len(box) != 4 or not _are_numbers(box):
            return self._problem(where, f"bbox is {box!r}", "[left, top, width, height] in pixels")
        left, top, across, down = box
        if across <= 0 or down <= 0:
            return self._problem(where, f"an empty box {box}", "a width and a height above 0")
        right, bottom = left + across, top + down
        if min(left, top) < -COCO_SLACK or right > size[0] + COCO_SLACK or bottom > size[1] + COCO_SLACK:
            return self._problem(where, f"box {box} reaches outside", f"a box within {size[0]} x {size[1]}")
        corners = (left / size[0], top / size[1], right / size[0], bottom / size[1])
        return tuple(min(1.0, max(0.0, x)) for x in corners), label

    def _outline(self, where: Keys, one: dict[str, Any], label: int, size: tuple[int, int]) -> Any:
        shape = one.get("segmentation")
        if (
            isinstance(shape, list)
            and shape
            and all(isinstance(p, list) and len(p) >= 6 and _are_numbers(p) for p in shape)
        ):
            scaled = (tuple(x / size[i % 2] for i, x in enumerate(polygon)) for polygon in shape)
            return Outline(label, polygons=tuple(scaled))
        if isinstance(shape, dict) and _are_lengths(shape.get("size")) and len(shape["size"]) == 2:
            counts = shape.get("counts")
            runs: Any = decoded_runs(counts) if isinstance(counts, str) else counts
            height, width = shape["size"]
            if _are_lengths(runs) and sum(runs) == height * width > 0:
                return Outline(label, runs=tuple(runs), runs_size=(height, width))
        return self._problem(
            where, "no outline that can be used", "polygons, or run lengths of the picture's size"
        )

    def _problem(self, where: Keys, seen: str, expected: str) -> None:
        line = line_of(self.path, where) if len(self.problems.found) < 5 else None
        self.problems.add(place(self.path, line), seen, expected)


def decoded_runs(text: str) -> tuple[int, ...]:
    """Run lengths from COCO's compressed string: numbers of 5-bit pieces, from the third on as differences."""
    runs: list[int] = []
    value = shift = 0
    for byte in text.encode():
        piece = byte - 48
        value |= (piece & 0x1F) << shift
        shift += 5
        if piece & 0x20:
            continue
        if piece & 0x10:
            value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return tuple(runs)


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(x, (int, float)) and not isinstance(x, bool) and abs(x) < BEYOND for x in values)


def _are_lengths(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(type(x) is int and 0 <= x < BEYOND for x in values)


def _picture_directory(path: Path, images: list[Any]) -> Path:
    """The directory of the pictures: the one beside or above the file that has the first of them."""
    first = next((one["file_name"] for one in images if isinstance(one.get("file_name"), str)), "")
    stem = path.stem.removeprefix("instances_")
    for directory in (path.parent, path.parent.parent):
        for name in ("", "images", stem, f"images/{stem}"):
            if first and (directory / name / first).is_file():
                return directory / name
    raise UsageError(
        f"{path}: its pictures are not beside it (looked for {first!r})",
        expected="a directory with the pictures",
        remedy="name it as `images`",
    )
