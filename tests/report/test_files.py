from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file
from tests.limits import no_room

from initium.errors import OutputError, UsageError
from initium.report import files
from initium.report.files import write_atomically


def test_text_and_bytes_are_written_and_replaced(tmp_path):
    path = tmp_path / "page.html"

    assert path == write_atomically(path, "gr\u00f6\u00dfe")
    assert path.read_text(encoding="utf-8") == "gr\u00f6\u00dfe"

    write_atomically(str(path), b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert [path] == list(tmp_path.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "plan.json"
    path.write_text("old")

    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [path] == list(tmp_path.iterdir())


def test_a_full_disk_is_told_in_three_parts_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with (
        no_room(1000),
        pytest.raises(OutputError, match=r"page\.html' cannot be written \(File too large\)") as caught,
    ):
        write_atomically(path, "x" * 5000)
    assert "free some space" in caught.value.remedy
    assert path.read_text() == "old"
    assert [path] == list(tmp_path.iterdir())


def test_weights_that_do_not_fit_on_the_disk_are_told(tmp_path):
    path = tmp_path / "weights.safetensors"
    with no_room(1000), pytest.raises(OutputError, match="cannot be written"), files.replacing(path) as part:
        save_file({"weight": torch.zeros(5000)}, part)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["missing/page.html", "."])
def test_a_place_that_is_no_file_is_told_in_three_parts(tmp_path, name):
    with pytest.raises(UsageError, match="cannot write") as caught:
        write_atomically(tmp_path / name, "x")
    assert caught.value.expected
    assert caught.value.remedy


def test_permissions_are_those_of_a_plain_write(tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_text("x")
    write_atomically(ours, "x")
    assert plain.stat().st_mode == ours.stat().st_mode

    ours.chmod(0o600)
    write_atomically(ours, "y")
    assert ours.stat().st_mode & 0o777 == 0o600
    assert os.access(ours, os.R_OK)
