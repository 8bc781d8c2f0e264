"""Image folders: one directory a class, perhaps under `train` and `val` or `test`."""

from __future__ import annotations

from pathlib import Path

from initium.errors import UsageError
from initium.study.tasks.loaders.images import pictures_in
from initium.study.tasks.loaders.listing import Listed, Listing, split_of
from initium.study.tasks.loaders.located_errors import Problems

TEST_NAMES = ("test", "val", "valid", "validation")


def list_folders(root: Path, *, test: Path | None = None) -> Listing:
    """The listing of `root/CLASS/*.jpg`, or of `root/train/CLASS/*.jpg` and `root/test/CLASS/*.jpg`."""
    train_root = root / "train" if (root / "train").is_dir() else root
    test_root = test or next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    if train_root is root and test is None:
        test_root = None
    classes = _classes(train_root)
    problems = Problems("the folders do not fit together")
    train = _listed(train_root, classes, problems)
    tested = _listed(test_root, classes, problems) if test_root else ()
    problems.raise_if_any(
        "give every class of the test data pictures to learn from, and every class some pictures"
    )
    return Listing(classes, train, split_of(test_root, tested), root)


def _classes(root: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    )
    if len(names) < 2:
        raise UsageError(
            f"{root}: {len(names)} directories of classes",
            expected="at least two directories, one a class, with pictures in them",
            remedy="move the pictures of each class into a directory with the name of the class",
        )
    return names


def _listed(root: Path, classes: tuple[str, ...], problems: Problems) -> tuple[Listed, ...]:
    found: list[Listed] = []
    for directory in sorted(
        path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
    ):
        if directory.name not in classes:
            problems.add(str(directory), "a class without training pictures", f"one of {', '.join(classes)}")
            continue
        pictures = pictures_in(directory)
        if not pictures:
            problems.add(str(directory), "no pictures", "at least one picture in the directory of a class")
        found += [Listed(path, label=classes.index(directory.name)) for path in pictures]
    return tuple(found)
