"""What a data set in files holds, before any picture is read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from initium.errors import UsageError
from initium.study.tasks.samples import TargetForm

FIFTH = 5


@dataclass(frozen=True)
class Outline:
    """One object's class and outline in fractions of the picture, or its run lengths.

    Args:
        label: class number.
        polygons: each a flat list x0, y0, x1, y1, ... between 0 and 1.
        runs: lengths of runs outside and inside in turn, down the columns, of a mask of `runs_size`.
        runs_size: height and width of that mask.
    """

    label: int
    polygons: tuple[tuple[float, ...], ...] = ()
    runs: tuple[int, ...] = ()
    runs_size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Listed:
    """One picture and what is said of it; places are fractions of its width and height.

    Args:
        picture: its file.
        label: its class (classification).
        boxes: left, top, right, bottom between 0 and 1 (detection).
        labels: a class number for each box.
        outlines: its objects (segmentation from COCO).
        mask: file of class numbers (segmentation).
        size: width and height as the annotations say, to be compared with the file; () where they do not.
    """

    picture: Path
    label: int = 0
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    labels: tuple[int, ...] = ()
    outlines: tuple[Outline, ...] = ()
    mask: Path | None = None
    size: tuple[int, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The classes and the pictures of a data set; `test` is empty where it does not tell them apart.

    Args:
        classes: names in the order of the numbers; () where only the masks will tell how many there are.
        train: pictures to learn from.
        test: pictures to be judged by.
        where: what the user named, for errors.
    """

    classes: tuple[str, ...]
    train: tuple[Listed, ...]
    test: tuple[Listed, ...]
    where: Path

    @property
    def files(self) -> list[Path]:
        """Every file that the data are read from."""
        every = (*self.train, *self.test)
        return [one.picture for one in every] + [one.mask for one in every if one.mask is not None]


def with_test(listing: Listing, *, by_class: bool) -> Listing:
    """The listing with a fifth set apart as test, if it has none: of every class, by a hash of the file names."""
    if listing.test or not listing.train:
        return listing
    groups: dict[int, list[Listed]] = {}
    for one in listing.train:
        groups.setdefault(one.label if by_class else 0, []).append(one)
    apart: set[Path] = set()
    for group in groups.values():
        ordered = sorted(group, key=lambda one: _hashed(one.picture, listing.where))
        apart |= (
            {one.picture for one in ordered[: max(1, len(ordered) // FIFTH)]} if len(ordered) > 1 else set()
        )
    train = tuple(one for one in listing.train if one.picture not in apart)
    return Listing(
        listing.classes, train, tuple(one for one in listing.train if one.picture in apart), listing.where
    )


def thinned(samples: Sequence[Listed], most: int) -> tuple[Listed, ...]:
    """At most `most` samples, evenly over the list."""
    if len(samples) <= most:
        return tuple(samples)
    return tuple(samples[i * len(samples) // most] for i in range(most))


def check_listing(listing: Listing, targets: TargetForm) -> None:
    """Raises UsageError for an empty split, and where there is only one class to tell apart."""
    for name, samples in (("training", listing.train), ("test", listing.test)):
        if not samples:
            raise UsageError(
                f"{listing.where}: no {name} pictures",
                expected="at least one picture in either split",
                remedy="check the directories and the split files, or give the test data as `test`",
            )
        if targets == "boxes" and not any(one.boxes for one in samples):
            raise UsageError(
                f"{listing.where}: no boxes in the {name} pictures",
                expected="at least one object to be found in either split",
                remedy="check that the annotations belong to these pictures, and are not all of crowds",
            )
    if targets == "labels":
        _check_balance(listing)


def split_of(directory: Path | None, samples: tuple[Listed, ...]) -> tuple[Listed, ...]:
    """The samples of a split that the data tell apart in a directory or a file; empty it would go unnoticed.

    Raises:
        UsageError: there is such a place, and nothing in it.
    """
    if directory is not None and not samples:
        raise UsageError(
            f"{directory}: no pictures of the test split",
            expected="at least one picture in either split",
            remedy="put pictures there, or remove it: then a fifth of the training pictures is set apart",
        )
    return samples


def _check_balance(listing: Listing) -> None:
    counts = Counter(one.label for one in listing.train)
    if len(counts) < 2:
        only = listing.classes[next(iter(counts))]
        raise UsageError(
            f"{listing.where}: every training picture is of class {only!r}",
            expected="pictures of at least two classes",
            remedy="one directory a class, each with pictures",
        )


def _hashed(path: Path, root: Path) -> bytes:
    relative = path.relative_to(root) if path.is_relative_to(root) else path.name
    return hashlib.blake2b(str(relative).encode(), digest_size=8).digest()
