"""Data that cannot be learned from are told before anything is trained, with the file and the line."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.study.tasks.loaders.files import coco, image_folders, mask, mask_folders, voc

from initium.errors import InitiumError, UsageError
from initium.study.tasks import open_task
from initium.study.tasks.loaders.coco import list_coco


def told(**source: Any) -> str:
    with pytest.raises(UsageError) as caught:
        open_task(source)
    return str(caught.value)


def test_an_empty_test_directory_is_told(tmp_path: Path) -> None:
    image_folders(tmp_path / "train")
    (tmp_path / "test").mkdir()
    assert f"{tmp_path / 'test'}: no pictures" in told(kind="classification", path=str(tmp_path))


def test_empty_test_masks_are_told(tmp_path: Path) -> None:
    mask_folders(tmp_path / "train")
    for name in ("images", "masks"):
        (tmp_path / "test" / name).mkdir(parents=True)
    assert f"{tmp_path / 'test'}: no pictures" in told(kind="segmentation", path=str(tmp_path))


def test_an_empty_list_is_told(tmp_path: Path) -> None:
    root = voc(tmp_path / "voc")
    lists = root / "ImageSets" / "Main" / "val.txt"
    lists.write_text("\n")
    assert f"{lists}: no pictures" in told(kind="detection", path=str(root))


def test_nothing_to_detect_is_told(tmp_path: Path) -> None:
    path = coco(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    assert "no boxes in the training pictures" in told(kind="detection", path=str(path))


def test_masks_of_stray_values_are_told(tmp_path: Path) -> None:
    mask_folders(tmp_path, values=(0, 1))
    mask(tmp_path / "masks" / "0.png", [0, 200])
    seen = told(kind="segmentation", path=str(tmp_path))
    assert f"the masks hold 3 values, and the largest is 200, in {tmp_path / 'masks' / '0.png'}" in seen


FAULTS: list[tuple[list[Any], Any, str]] = [
    (["annotations", 1], 5, "5 is no entry"),
    (["images", 0], [], "is no entry"),
    (["annotations", 1, "image_id"], [1], "an id that is no number or text"),
    (["annotations", 1, "bbox"], [float("nan"), 1, 2, 2], "bbox is"),
    (["annotations", 1, "bbox"], [1e400, 1, 2, 2], "bbox is"),
    (["annotations", 1, "bbox"], [True, 1, 2, 2], "bbox is"),
    (["categories", 0, "id"], None, "the id None"),
]


def with_value(content: Any, keys: list[Any], value: Any) -> Any:
    changed = copy.deepcopy(content)
    inner = changed
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return changed


@pytest.mark.parametrize(("keys", "value", "reason"), FAULTS)
def test_odd_entries_of_coco_are_told_with_their_line(
    keys: list[Any], value: Any, reason: str, tmp_path: Path
) -> None:
    path = coco(tmp_path)
    path.write_text(json.dumps(with_value(json.loads(path.read_text()), keys, value), indent=1))
    text = told(kind="detection", path=str(path))
    assert reason in text
    assert f"{path}:" in text


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner)
    ),
    max_leaves=5,
)
PLACES = st.sampled_from(
    [
        ["images"], ["annotations"], ["categories"], ["images", 0], ["annotations", 0], ["categories", 0],
        *([part, 0, key] for part, keys in (
            ("images", ("id", "file_name", "width", "height")), ("categories", ("id", "name")),
            ("annotations", ("id", "image_id", "category_id", "bbox", "segmentation", "iscrowd")),
        ) for key in keys),
    ]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PLACES, ODD, st.sampled_from(["boxes", "masks"]))
def test_hostile_coco_is_refused_cleanly(tmp_path: Path, keys: list[Any], value: Any, targets: Any) -> None:
    good = coco(tmp_path)
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(with_value(json.loads(good.read_text()), keys, value)))
    with suppress(InitiumError):
        list_coco(path, targets=targets, images=tmp_path / "images")
