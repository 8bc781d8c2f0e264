"""Mask folders: `images/NAME.jpg` with `masks/NAME.png`, whose values are class numbers."""

from __future__ import annotations

from pathlib import Path

from initium.errors import UsageError
from initium.study.tasks.loaders.folders import TEST_NAMES
from initium.study.tasks.loaders.images import pictures_in
from initium.study.tasks.loaders.listing import Listed, Listing, split_of
from initium.study.tasks.loaders.located_errors import Problems

PICTURE_NAMES, MASK_NAMES = ("images", "image", "img", "imgs"), ("masks", "mask", "labels", "annotations")


def list_masks(
    root: Path, *, images: Path | None = None, test: Path | None = None, test_images: Path | None = None
) -> Listing:
    """The listing of a directory with `images` and `masks` (perhaps under `train` and `test`), or of the two."""
    train_root = root / "train" if (root / "train").is_dir() else root
    test_root = test or next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    problems = Problems("pictures and masks do not pair")
    train = _pairs(train_root, images, problems)
    tested = _pairs(test_root, test_images, problems) if test_root else ()
    problems.raise_if_any("give every picture a mask of the same name, or remove the picture")
    return Listing((), train, split_of(test_root, tested), root)


def _pairs(root: Path, images: Path | None, problems: Problems) -> tuple[Listed, ...]:
    pictures = images or _child(root, PICTURE_NAMES)
    masks = root if images else _child(root, MASK_NAMES)
    by_name = {path.relative_to(masks).with_suffix(""): path for path in pictures_in(masks)}
    found: list[Listed] = []
    for picture in pictures_in(pictures):
        name = picture.relative_to(pictures).with_suffix("")
        if name not in by_name:
            problems.add(str(picture), "no mask of this name", f"{masks / name}.png")
        else:
            found.append(Listed(picture, mask=by_name[name]))
    return tuple(found)


def _child(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise UsageError(
        f"{root}: none of the directories {', '.join(names)}",
        expected="`images` with pictures and `masks` with masks of the same names",
        remedy="name the directory of the pictures as `images` and that of the masks as `path`",
    )
