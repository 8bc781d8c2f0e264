"""Image folders: splits, classes, faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.study.tasks.loaders import files

from initium.errors import UsageError
from initium.study.tasks.loaders.folders import list_folders


def test_classes_are_directories(tmp_path: Path) -> None:
    listing = list_folders(files.image_folders(tmp_path, num=3))
    assert listing.classes == ("cat", "dog")
    assert [one.label for one in listing.train] == [0, 0, 0, 1, 1, 1]
    assert listing.test == ()


@pytest.mark.parametrize("name", ["test", "val", "valid"])
def test_train_and_test_directories(name: str, tmp_path: Path) -> None:
    files.image_folders(tmp_path / "train", num=3)
    files.image_folders(tmp_path / name, num=2)
    listing = list_folders(tmp_path)
    assert (len(listing.train), len(listing.test)) == (6, 4)


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path: Path) -> None:
    root = files.image_folders(tmp_path, num=2)
    (root / "cat" / "notes.txt").write_text("x")
    (root / "cat" / ".hidden.png").write_text("x")
    (root / ".git").mkdir()
    assert len(list_folders(root).train) == 4


def test_a_single_class_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="1 directories of classes"):
        list_folders(files.image_folders(tmp_path, classes=("cat",)))


def test_an_empty_class_and_an_unknown_test_class_are_told(tmp_path: Path) -> None:
    files.image_folders(tmp_path / "train")
    (tmp_path / "train" / "bird").mkdir()
    files.image_folders(tmp_path / "test", classes=("cat", "fish"))
    with pytest.raises(UsageError) as caught:
        list_folders(tmp_path)
    assert "bird: no pictures" in caught.value.seen
    assert "fish: a class without training pictures" in caught.value.seen
