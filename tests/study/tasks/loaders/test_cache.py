"""Prepared data are kept between processes, and no disk can spoil them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.limits import no_room
from torch import Tensor

from initium.study.tasks.loaders.cache import directory, kept


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_CACHE", str(tmp_path))


def make() -> dict[str, Tensor]:
    return {"x": torch.arange(5000.0)}


def never() -> dict[str, Tensor]:
    raise AssertionError("made again")


def test_what_was_made_is_kept() -> None:
    made = kept("some", make)
    assert torch.equal(kept("some", never)["x"], made["x"])


def test_a_full_disk_costs_only_time() -> None:
    with no_room(1000):
        assert torch.equal(kept("some", make)["x"], make()["x"])
    assert not list((directory() / "data").iterdir())
    kept("some", make)
    assert torch.equal(kept("some", never)["x"], make()["x"])


def test_a_damaged_file_is_made_anew() -> None:
    kept("some", make)
    (path,) = (directory() / "data").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(kept("some", make)["x"], make()["x"])
    assert torch.equal(kept("some", never)["x"], make()["x"])
