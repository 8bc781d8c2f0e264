"""COCO files: what they hold, and faults with their lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.study.tasks.loaders import files

from initium.errors import UsageError
from initium.study.tasks.loaders.coco import decoded_runs, list_coco
from initium.study.tasks.loaders.prepare import tensors_of


def line_with(path: Path, text: str) -> int:
    return next(i for i, line in enumerate(path.read_text().splitlines(), start=1) if text in line)


def test_boxes_are_fractions_and_categories_are_numbered(tmp_path: Path) -> None:
    listing = list_coco(files.coco(tmp_path), targets="boxes")
    assert listing.classes == ("cup", "plate")
    assert [one.labels for one in listing.train] == [(0,), (1,), (0,), (1,), (0,)]
    assert listing.train[0].boxes == ((0.1, 0.1, 0.6, 0.6),)


def test_outlines_become_masks(tmp_path: Path) -> None:
    listing = list_coco(files.coco(tmp_path), targets="masks")
    assert listing.classes == ("background", "cup", "plate")
    mask = tensors_of(listing.train[:2], "masks", 20, listing.classes)["masks"]
    assert mask[0, 2:12, 2:12].unique().tolist() == [1]
    assert mask[1, 4, 4] == 2
    assert mask[0, 15, 15] == 0


def encoded(mask: np.ndarray) -> tuple[list[int], str]:
    """Run lengths down the columns, plain and as pycocotools writes them."""
    flat = mask.T.flatten()
    runs, value = [0], 0
    for pixel in flat:
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    text = ""
    for i, run in enumerate(runs):
        x = run - runs[i - 2] if i > 2 else run
        while True:
            piece, x = x & 0x1F, x >> 5
            more = x != (-1 if piece & 0x10 else 0)
            text += chr(48 + (piece | (0x20 if more else 0)))
            if not more:
                break
    return runs, text


@pytest.mark.parametrize("seed", range(4))
def test_run_lengths_in_both_writings(seed: int, tmp_path: Path) -> None:
    mask = (np.random.default_rng(seed).random((30, 40)) < 0.02 * 10**seed).astype(np.uint8)
    mask[5:20, 3:33] = 1
    runs, text = encoded(mask)
    assert list(decoded_runs(text)) == runs
    for counts in (runs, text):
        path = files.coco(tmp_path, segmentation={"size": [30, 40], "counts": counts})
        listing = list_coco(path, targets="masks")
        drawn = tensors_of(listing.train[:1], "masks", 10, listing.classes)["masks"][0]
        rows, columns = np.arange(10) * 30 // 10, np.arange(10) * 40 // 10
        assert np.array_equal(drawn.numpy(), mask[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bbox": [30, 3, 20, 15]}, "reaches outside"),
        ({"bbox": [3, 3, 0, 15]}, "an empty box"),
        ({"bbox": [3, 3, 15]}, "bbox is"),
        ({"bbox": None}, "bbox is None"),
        ({"category_id": 5}, "category_id 5 is no category"),
        ({"image_id": 77}, "image_id 77 is no picture"),
    ],
)
def test_faults_of_boxes_are_told_with_their_line(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = files.coco(tmp_path, **changes)
    start = line_with(path, '"annotations"') + 1
    with pytest.raises(UsageError, match=re.escape(f"{path}:{start}: ") + ".*" + reason):
        list_coco(path, targets="boxes")


@pytest.mark.parametrize("shape", [None, [], [[1, 2]], {"size": [30, 40], "counts": [3, 4]}])
def test_faults_of_outlines_are_told(shape: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no outline that can be used"):
        list_coco(files.coco(tmp_path, segmentation=shape), targets="masks")


def test_crowds_have_no_box(tmp_path: Path) -> None:
    listing = list_coco(files.coco(tmp_path, iscrowd=1), targets="boxes")
    assert listing.train[0].boxes == ()


def test_missing_pictures_are_told_with_their_line(tmp_path: Path) -> None:
    path = files.coco(tmp_path)
    (tmp_path / "images" / "3.jpg").unlink()
    line = line_with(path, '"file_name": "3.jpg"')
    with pytest.raises(UsageError, match=rf"train\.json:{line - 2}: no picture '3\.jpg'"):
        list_coco(path, targets="boxes")


def test_no_pictures_beside_the_file(tmp_path: Path) -> None:
    path = files.coco(tmp_path)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="not beside it"):
        list_coco(path, targets="boxes")
    assert len(list_coco(path, targets="boxes", images=tmp_path / "elsewhere").train) == 5


def test_broken_json_is_told_with_its_line(tmp_path: Path) -> None:
    path = files.coco(tmp_path)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(UsageError, match=r"train\.json:\d+: not JSON"):
        list_coco(path, targets="boxes")


def test_another_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"images": []}))
    with pytest.raises(UsageError, match="no list 'annotations'"):
        list_coco(path, targets="boxes")


def test_a_picture_of_another_size_is_told(tmp_path: Path) -> None:
    listing = list_coco(files.coco(tmp_path), targets="boxes")
    files.picture(tmp_path / "images" / "0.jpg", size=(41, 30))
    with pytest.raises(UsageError, match=r"0\.jpg: 41 x 30 pixels, but its annotation says 40 x 30"):
        tensors_of(listing.train, "boxes", 16, listing.classes)


def test_many_faults_are_told_at_once(tmp_path: Path) -> None:
    path = files.coco(tmp_path, num=9)
    content = json.loads(path.read_text())
    for one in content["annotations"]:
        one["bbox"] = [0, 0, -1, -1]
    path.write_text(json.dumps(content, indent=1))
    with pytest.raises(UsageError) as caught:
        list_coco(path, targets="boxes")
    assert caught.value.seen.count("an empty box") == 5
    assert "and 4 more" in caught.value.seen
