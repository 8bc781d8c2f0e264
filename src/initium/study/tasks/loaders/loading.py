"""Which format it is, and a task of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from initium.engines.reference import function_of, name_of, place_of
from initium.errors import InitiumError, UsageError, UsageTypeError, unknown_name
from initium.study.tasks.loaders.cache import fingerprint, kept
from initium.study.tasks.loaders.coco import list_coco
from initium.study.tasks.loaders.datasets import DatasetSamples
from initium.study.tasks.loaders.folders import list_folders
from initium.study.tasks.loaders.listing import Listing, check_listing, thinned, with_test
from initium.study.tasks.loaders.masks import MASK_NAMES, list_masks
from initium.study.tasks.loaders.prepare import num_classes_of, targets_of, tensors_of
from initium.study.tasks.loaders.voc import list_voc
from initium.study.tasks.samples import Pictures, TargetForm, normalization
from initium.study.tasks.task import Task
from initium.study.tasks.task_kind import TaskKind

FORMATS: dict[str, tuple[TargetForm, ...]] = {
    "folders": ("labels",),
    "coco": ("boxes", "masks"),
    "voc": ("boxes", "masks"),
    "masks": ("masks",),
}
"""The formats, and the targets that they can hold."""
SOURCE_KEYS = (
    "kind",
    "path",
    "format",
    "images",
    "test",
    "test_images",
    "size",
    "most",
    "classes",
    "datasets",
    "prepared",
)
PATHS = ("path", "images", "test", "test_images")
SIZE, MOST = 64, 4000


def load(kind: TaskKind, source: Mapping[str, Any]) -> Task:
    """A task of the user's own data; `open_task` tells the keys of `source`."""
    for key in source:
        if key not in SOURCE_KEYS:
            raise unknown_name("key of a task", key, SOURCE_KEYS)
    if "datasets" in source:
        return _of_datasets(kind, source)
    source = {**source, **{key: _absolute(source[key]) for key in PATHS if source.get(key) is not None}}
    tensors, classes, name = _prepared(kind, source)
    splits = [_split(tensors, split) for split in ("train", "test")]
    numbers = normalization(splits[0]["images"])
    train, test = (Pictures(one["images"], targets_of(one, kind.targets), *numbers) for one in splits)
    return Task(kind.goal, train, test, classes, {**source, "prepared": name}, kind.models)


def _prepared(kind: TaskKind, source: Mapping[str, Any]) -> tuple[dict[str, Tensor], tuple[str, ...], str]:
    """Both splits as tensors, the classes, and the name that they are kept under.

    A source that says under which name is not looked at again: that is how workers start fast.
    """
    listing: list[Listing] = []

    def listed() -> Listing:
        if not listing:
            listing.append(_listing(kind, source))
        return listing[0]

    name = source.get("prepared") or fingerprint(sorted(set(listed().files)), _settings(source, listed()))
    tensors = kept(name, lambda: _read(kind.targets, source, listed()))
    classes = json.loads(bytes(tensors["classes"].tolist()).decode())
    return tensors, tuple(classes), name


def _settings(source: Mapping[str, Any], listing: Listing) -> dict[str, Any]:
    """What the tensors depend on besides the pictures: the request, and what the annotations say."""
    request = {key: value for key, value in source.items() if key != "prepared"}
    return {"request": request, "listing": repr(listing)}


def _read(targets: TargetForm, source: Mapping[str, Any], listing: Listing) -> dict[str, Tensor]:
    size, most = _whole(source, "size", SIZE), _whole(source, "most", MOST)
    _warn_of_rest(listing, most)
    listing = replace(listing, train=thinned(listing.train, most), test=thinned(listing.test, most))
    check_listing(listing, targets)
    tensors: dict[str, Tensor] = {}
    for split, samples in (("train", listing.train), ("test", listing.test)):
        for key, value in tensors_of(samples, targets, size, listing.classes).items():
            tensors[f"{split}.{key}"] = value
    classes = listing.classes
    if targets == "masks":
        named, masks = bool(listing.classes), [tensors["train.masks"], tensors["test.masks"]]
        files = [one.mask or one.picture for one in (*listing.train, *listing.test)]
        num = max(num_classes_of(masks[:n], listing.where, files, named=named) for n in (1, 2))
        classes = classes or tuple(f"class {number}" if number else "background" for number in range(num))
    tensors["classes"] = torch.tensor(list(json.dumps(classes).encode()), dtype=torch.uint8)
    return tensors


def _warn_of_rest(listing: Listing, most: int) -> None:
    for name, samples in (("training", listing.train), ("test", listing.test)):
        if len(samples) > most:
            warnings.warn(
                f"{listing.where}: {most} of {len(samples)} {name} pictures are used; raise `most` to use more",
                stacklevel=2,
            )


def _split(tensors: dict[str, Tensor], split: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(f"{split}."): value for key, value in tensors.items() if key.startswith(f"{split}.")
    }


def _listing(kind: TaskKind, source: Mapping[str, Any]) -> Listing:
    paths = {key: _path(source, key) for key in PATHS}
    root = paths["path"]
    assert root is not None
    form = source.get("format", "auto")
    form = seen_format(root) if form == "auto" else form
    if form not in FORMATS:
        raise unknown_name("format", str(form), (*FORMATS, "auto"))
    if kind.targets not in FORMATS[form]:
        fitting = [name for name, targets in FORMATS.items() if kind.targets in targets]
        raise UsageError(
            f"{root}: the format {form!r} holds no {kind.name} task",
            expected=f"{kind.name} data as {' or '.join(fitting)}",
            remedy=f"ask for a kind of task with {' or '.join(FORMATS[form])}, or name the format",
        )
    listing = with_test(_of_format(form, kind.targets, root, paths), by_class=kind.targets == "labels")
    listing = _named(listing, source, kind.name)
    check_listing(listing, kind.targets)
    return listing


def _of_format(form: str, targets: TargetForm, root: Path, paths: Mapping[str, Path | None]) -> Listing:
    makers: dict[str, Callable[[], Listing]] = {
        "folders": lambda: list_folders(root, test=paths["test"]),
        "masks": lambda: list_masks(
            root, images=paths["images"], test=paths["test"], test_images=paths["test_images"]
        ),
        "voc": lambda: list_voc(root, targets=targets, test=paths["test"]),
        "coco": lambda: list_coco(
            root,
            targets=targets,
            images=paths["images"],
            test=paths["test"],
            test_images=paths["test_images"],
        ),
    }
    return makers[form]()


def _named(listing: Listing, source: Mapping[str, Any], kind: str) -> Listing:
    """The listing with the class names that the user gave, which masks alone need."""
    names = source.get("classes")
    if names is None:
        return listing
    if listing.classes and list(names) != list(listing.classes):
        raise UsageError(
            f"{listing.where}: `classes` is {list(names)}, but the {kind} data name {list(listing.classes)}",
            expected="the same names, or none",
            remedy="leave `classes` out: the data name their classes",
        )
    return Listing(tuple(names), listing.train, listing.test, listing.where)


def seen_format(root: Path) -> str:
    """The format of a file or directory, by what is in it."""
    if root.is_file() and root.suffix.lower() == ".json":
        return "coco"
    if (root / "JPEGImages").is_dir():
        return "voc"
    if any((base / name).is_dir() for base in (root, root / "train") for name in MASK_NAMES):
        return "masks"
    if root.is_dir() and any(path.is_dir() for path in root.iterdir()):
        return "folders"
    raise UsageError(
        f"{root}: no data set of a known format",
        expected="a COCO .json file, or a directory with JPEGImages (VOC), images and masks, or one directory a class",
        remedy=f"name the format: one of {', '.join(FORMATS)}",
    )


def _path(source: Mapping[str, Any], key: str) -> Path | None:
    value = source.get(key)
    if value is None:
        return None
    path = Path(str(value))
    if not path.exists():
        raise UsageError(
            f"{path}: no such file or directory", expected=f"`{key}` that exists", remedy="check the path"
        )
    return path


def _absolute(path: object) -> str:
    return str(Path(str(path)).expanduser().absolute())


def _whole(source: Mapping[str, Any], key: str, default: int) -> int:
    value = source.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(
            f"`{key}` is {value!r}", expected="a whole number above 0", remedy=f"{key}={default}"
        )
    return value


def _of_datasets(kind: TaskKind, source: Mapping[str, Any]) -> Task:
    """A task of the two Datasets that an importable function returns."""
    maker = source["datasets"]
    source = {**source, "datasets": maker if isinstance(maker, str) else name_of(maker)}
    function = function_of(source["datasets"])
    try:
        train, test, num = _checked_datasets(function, kind.targets, source.get("classes"))
    except InitiumError as error:
        error.seen = f"{place_of(function) or source['datasets']}: {error.seen}"
        raise
    names = tuple(source.get("classes") or (f"class {number}" for number in range(num)))
    return Task(kind.goal, train, test, names, dict(source), kind.models)


def _checked_datasets(
    function: Callable[[], Any], targets: TargetForm, names: Sequence[str] | None
) -> tuple[DatasetSamples, DatasetSamples, int]:
    """Both datasets, and how many classes there are."""
    try:
        made = function()
    except Exception as error:
        raise UsageError(
            f"the function of the datasets raised {type(error).__name__}: {error}",
            expected="a function without arguments that returns (train, test)",
            remedy="correct it; every worker calls it",
        ) from error
    if not isinstance(made, tuple) or len(made) != 2:
        raise UsageTypeError(
            f"a {type(made).__name__} instead of two Datasets",
            expected="two Datasets: (train, test)",
            remedy="return train, test",
        )
    train, test = (
        DatasetSamples(one, targets, name) for one, name in zip(made, ("training", "test"), strict=True)
    )
    found = [train.check(), test.check()]
    num = len(names) if names else found[0]
    for samples, most in zip((train, test), found, strict=True):
        if most > num:
            raise UsageError(
                f"the {samples.name} dataset has the class number {most - 1}",
                expected=f"numbers below {num}, as {'`classes` names them' if names else 'the training dataset has'}",
                remedy="name every class, and give every class training samples",
            )
        samples.num_classes = num
    return train, test, num
