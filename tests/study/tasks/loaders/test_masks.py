"""Mask folders: pairs, values, faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.study.tasks.loaders import files

from initium.errors import UsageError
from initium.study.tasks import open_task
from initium.study.tasks.loaders.masks import list_masks


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path / "cache"))


def test_pairs_by_name(tmp_path: Path) -> None:
    listing = list_masks(files.mask_folders(tmp_path))
    assert [(one.picture.name, one.mask.name) for one in listing.train if one.mask][:2] == [
        ("0.jpg", "0.png"),
        ("1.jpg", "1.png"),
    ]


def test_two_directories_anywhere(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path)
    assert len(list_masks(root / "masks", images=root / "images").train) == 5


def test_train_and_test_directories(tmp_path: Path) -> None:
    files.mask_folders(tmp_path / "train")
    files.mask_folders(tmp_path / "test", num=2)
    listing = list_masks(tmp_path)
    assert (len(listing.train), len(listing.test)) == (5, 2)


def test_a_picture_without_a_mask_is_told(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path)
    (root / "masks" / "2.png").unlink()
    with pytest.raises(UsageError, match=r"images/2\.jpg: no mask of this name"):
        list_masks(root)


def source(root: Path, **more: object) -> dict[str, object]:
    return {"kind": "segmentation", "path": str(root), "size": 16, **more}


def test_classes_are_counted(tmp_path: Path) -> None:
    task = open_task(source(files.mask_folders(tmp_path / "data", values=(0, 1, 4, 255))))
    assert task.classes == ("background", "class 1", "class 2", "class 3", "class 4")


def test_a_value_that_is_no_class_is_told(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path / "data", values=(0, 1, 4))
    with pytest.raises(UsageError, match=r"masks/\d\.png: the value 4 is no class"):
        open_task(source(root, classes=["floor", "cup"]))


def test_masks_of_one_class_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hold only the class 0"):
        open_task(source(files.mask_folders(tmp_path / "data", values=(0, 255))))


def test_masks_of_colours_are_told(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path / "data")
    Image.new("RGB", (40, 30)).save(root / "masks" / "0.png")
    with pytest.raises(UsageError, match=r"0\.png: a mask of colours"):
        open_task(source(root))


def test_a_mask_of_another_size_is_told(tmp_path: Path) -> None:
    root = files.mask_folders(tmp_path / "data")
    files.mask(root / "masks" / "0.png", [0, 1], size=(41, 30))
    with pytest.raises(UsageError, match=r"0\.png: 41 x 30 pixels, but"):
        open_task(source(root))
