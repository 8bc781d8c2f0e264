"""Every format opens, is trained on, and is kept for the workers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.study.tasks.loaders import files

from initium.errors import UnknownNameError, UsageError, UsageTypeError
from initium.study.tasks import open_task
from initium.study.tasks.loaders.loading import seen_format

FORMATS: list[tuple[str, str, Callable[[Path], Path]]] = [
    ("classification", "folders", files.image_folders),
    ("detection", "coco", files.coco),
    ("segmentation", "coco", files.coco),
    ("detection", "voc", files.voc),
    ("segmentation", "voc", files.voc),
    ("segmentation", "masks", files.mask_folders),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("kind", "form", "write"), FORMATS, ids=[f"{f[1]} {f[0]}" for f in FORMATS])
def test_every_format_can_be_trained_on(
    kind: str, form: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "data")
    assert seen_format(path) == form
    task = open_task({"kind": kind, "path": str(path), "size": 32})
    assert task.kind == kind
    assert task.shape == (3, 32, 32)
    assert len(task.train) > len(task.test) > 0
    model = task.make_model()
    task.check_model(model)
    batch = next(task.batches(seed=0, batch_size=2, num_steps=1))
    task.loss(model, batch).backward()
    assert 0.0 <= task.evaluate(model).metric <= 1.0


@pytest.mark.parametrize(("kind", "form", "write"), FORMATS, ids=[f"{f[1]} {f[0]}" for f in FORMATS])
def test_workers_open_it_without_the_files(
    kind: str, form: str, write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "data")
    task = open_task({"kind": kind, "path": str(path), "size": 32})
    path.rename(tmp_path / "away")
    again = open_task(json.loads(json.dumps(dict(task.source))))
    ours, theirs = (one.train.take(torch.arange(3)) for one in (task, again))
    assert torch.equal(ours.inputs, theirs.inputs)
    assert again.classes == task.classes
    if isinstance(ours.targets, torch.Tensor):
        assert torch.equal(ours.targets, theirs.targets)
    else:
        assert torch.equal(ours.targets[0].boxes, theirs.targets[0].boxes)


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    root = files.image_folders(tmp_path / "data")
    source = {"kind": "classification", "path": str(root), "size": 16}
    before = open_task(source)
    for path in (root / "cat").iterdir():
        files.picture(path, size=(50, 20), seed=99)
    after = open_task(source)
    assert before.source["prepared"] != after.source["prepared"]
    everything = torch.arange(len(before.train))
    assert not torch.equal(before.train.take(everything).inputs, after.train.take(everything).inputs)


def test_a_torn_cache_file_is_made_anew(tmp_path: Path) -> None:
    source = {"kind": "classification", "path": str(files.image_folders(tmp_path / "data")), "size": 16}
    task = open_task(source)
    (kept,) = (tmp_path / "cache" / "data").glob("*.safetensors")
    kept.write_bytes(kept.read_bytes()[:100])
    again = open_task(source)
    assert torch.equal(task.train.take(torch.arange(2)).inputs, again.train.take(torch.arange(2)).inputs)


def test_a_limit_is_told_and_kept(tmp_path: Path) -> None:
    root = files.image_folders(tmp_path / "data", num=10)
    with pytest.warns(UserWarning, match="8 of 16 training pictures"):
        task = open_task({"kind": "classification", "path": str(root), "size": 16, "most": 8})
    assert len(task.train) == 8
    assert task.train.take(torch.arange(8)).targets.bincount().tolist() == [4, 4]


def test_inputs_are_normalized(tmp_path: Path) -> None:
    task = open_task(
        {"kind": "classification", "path": str(files.image_folders(tmp_path / "data")), "size": 16}
    )
    inputs = task.train.take(torch.arange(len(task.train))).inputs
    assert torch.allclose(inputs.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(inputs.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-3)


@pytest.mark.parametrize(
    ("source", "error", "reason"),
    [
        ({"kind": "classification", "path": "nowhere"}, UsageError, "no such file or directory"),
        ({"kind": "classification", "path": ".", "format": "csv"}, UnknownNameError, "unknown format 'csv'"),
        ({"kind": "detection", "path": ".", "format": "folders"}, UsageError, "holds no detection task"),
        ({"kind": "classification", "path": "data", "size": 0}, UsageError, "`size` is 0"),
        ({"kind": "classification", "path": "data", "most": "all"}, UsageError, "`most` is 'all'"),
        ({"kind": "classification", "path": "empty"}, UsageError, "no data set of a known format"),
        (
            {"kind": "classification", "path": "data", "classes": ["a", "b"]},
            UsageError,
            "the classification data name",
        ),
    ],
)
def test_requests_that_make_no_sense_are_told(
    source: dict[str, Any],
    error: type[Exception],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files.image_folders(tmp_path / "data")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=reason):
        open_task(source)


MAKERS = "tests.study.tasks.loaders.files"


def test_any_dataset() -> None:
    task = open_task({"kind": "classification", "datasets": f"{MAKERS}:two_datasets"})
    assert (len(task.train), len(task.test), task.classes) == (12, 5, ("class 0", "class 1", "class 2"))
    task.check_model(task.make_model("mlp2-relu"))


def test_a_dataset_function_may_be_given_itself() -> None:
    from tests.study.tasks.loaders.files import two_datasets

    task = open_task({"kind": "classification", "datasets": two_datasets})
    assert task.source["datasets"] == "tests.study.tasks.loaders.files:two_datasets"
    again = open_task(json.loads(json.dumps(dict(task.source))))
    assert len(again.train) == len(task.train) == 12


def test_paths_are_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.image_folders(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    task = open_task({"kind": "classification", "path": "data", "size": 16})
    assert task.source["path"] == str(tmp_path / "data")


def test_datasets_that_do_not_fit_are_told() -> None:
    with pytest.raises(UsageTypeError, match="two Datasets"):
        open_task({"kind": "classification", "datasets": f"{MAKERS}:one_dataset"})
    with pytest.raises(UsageError, match="class number 7"):
        open_task({"kind": "classification", "datasets": f"{MAKERS}:more_test_classes"})
