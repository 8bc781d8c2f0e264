"""Opening tasks: what is embedded, and requests that make no sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from initium.errors import UnknownNameError, UsageError
from initium.study.tasks import kind_names, open_task
from initium.study.tasks.embedded import garments


def test_the_embedded_tasks() -> None:
    sizes = {kind: open_task(kind) for kind in ("classification", "detection", "segmentation")}
    assert {kind: (len(task.train), len(task.test)) for kind, task in sizes.items()} == {
        "classification": (5000, 1000),
        "detection": (800, 200),
        "segmentation": (800, 200),
    }
    assert {kind: len(task.classes) for kind, task in sizes.items()} == {
        "classification": 10,
        "detection": 4,
        "segmentation": 5,
    }
    for task in sizes.values():
        assert json.loads(json.dumps(task.source)) == task.source


def test_unknown_tasks_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean segmentation"):
        open_task("segmentatoin")


def test_settings_without_data_are_told() -> None:
    with pytest.raises(UsageError, match="was given size"):
        open_task({"kind": "detection", "size": 32})


def test_unknown_settings_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean size"):
        open_task({"kind": "detection", "path": "/tmp", "sise": 32})


@pytest.mark.parametrize("kind", kind_names())
def test_embedded_data_are_prepared_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path))
    made = open_task(kind)
    monkeypatch.setattr(garments.scenes, "compose", None)
    monkeypatch.setattr(garments, "fashion_mnist", None)
    kept = open_task(kind)
    indices = torch.arange(0, len(made.train), 7)
    first, again = made.train.take(indices), kept.train.take(indices)
    assert torch.equal(first.inputs, again.inputs)
    if kind == "detection":
        for one, other in zip(first.targets, again.targets, strict=True):
            assert torch.equal(one.boxes, other.boxes)
            assert torch.equal(one.labels, other.labels)
    else:
        assert torch.equal(first.targets, again.targets)
