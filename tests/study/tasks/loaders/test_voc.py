"""VOC directories: lists, boxes, masks, and faults with their lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.study.tasks.loaders import files

from initium.errors import UsageError
from initium.study.tasks.loaders.voc import list_voc


def test_lists_tell_the_splits(tmp_path: Path) -> None:
    listing = list_voc(files.voc(tmp_path), targets="boxes")
    assert [one.picture.stem for one in listing.train] == ["p0", "p1", "p2", "p3"]
    assert [one.picture.stem for one in listing.test] == ["p4"]
    assert listing.classes == ("cup", "plate")
    assert listing.train[0].boxes == ((0.1, 0.1, 0.6, 0.6),)
    assert listing.train[0].labels == (1,)


def test_without_lists_everything_is_for_training(tmp_path: Path) -> None:
    listing = list_voc(files.voc(tmp_path, lists=False), targets="boxes")
    assert (len(listing.train), len(listing.test)) == (5, 0)


def test_a_second_directory_for_the_test(tmp_path: Path) -> None:
    first, second = files.voc(tmp_path / "a", lists=False), files.voc(tmp_path / "b", lists=False, num=3)
    listing = list_voc(first, targets="boxes", test=second)
    assert len(listing.test) == 3
    assert [one.labels for one in listing.test] == [(1,), (0,), (1,)]
    files.annotation(second / "Annotations" / "p0.xml", ("fork", (1, 1, 9, 9)))
    with pytest.raises(UsageError, match="classes that the training data lack: fork"):
        list_voc(first, targets="boxes", test=second)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((4, 3, 50, 18), "reaches outside the picture"),
        ((4, 3, 4, 18), "an empty box"),
        (("x", 3, 4, 18), "without a box"),
    ],
)
def test_faults_of_boxes_are_told_with_their_line(
    box: tuple[float, ...], reason: str, tmp_path: Path
) -> None:
    root = files.voc(tmp_path)
    files.annotation(root / "Annotations" / "p1.xml", ("cup", (4, 3, 24, 18)), ("cup", box))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=rf"p1\.xml:11: .*{reason}"):
        list_voc(root, targets="boxes")


def test_nameless_objects_are_told_with_their_line(tmp_path: Path) -> None:
    root = files.voc(tmp_path)
    files.annotation(root / "Annotations" / "p2.xml", ("", (4, 3, 24, 18)))
    with pytest.raises(UsageError, match=r"p2\.xml:3: an object without a name"):
        list_voc(root, targets="boxes")


def test_broken_xml_is_told_with_its_line(tmp_path: Path) -> None:
    root = files.voc(tmp_path)
    (root / "Annotations" / "p0.xml").write_text("<annotation>\n<object>\n</annotation>")
    with pytest.raises(UsageError, match=r"p0\.xml:3: not XML \(mismatched tag\)"):
        list_voc(root, targets="boxes")


def test_entities_are_refused(tmp_path: Path) -> None:
    root = files.voc(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY x "xxxxxxxx"><!ENTITY y "&x;&x;">]><annotation>&y;</annotation>'
    (root / "Annotations" / "p0.xml").write_text(bomb)
    with pytest.raises(UsageError, match="declares the entity 'x'"):
        list_voc(root, targets="boxes")


@pytest.mark.parametrize(
    ("gone", "targets", "reason"),
    [
        ("JPEGImages/p1.jpg", "boxes", r"train\.txt:2: no picture 'p1'"),
        ("Annotations/p1.xml", "boxes", "no annotation"),
        ("SegmentationClass/p1.png", "masks", "no mask"),
    ],
)
def test_missing_files_are_told(gone: str, targets: Any, reason: str, tmp_path: Path) -> None:
    root = files.voc(tmp_path)
    (root / gone).unlink()
    with pytest.raises(UsageError, match=reason):
        list_voc(root, targets=targets)


def test_another_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no directory JPEGImages"):
        list_voc(tmp_path, targets="boxes")
