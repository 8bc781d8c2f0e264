"""Reading pictures: modes, resizing, faults."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.study.tasks.loaders import files

from initium.errors import UsageError
from initium.study.tasks.loaders.images import read_mask, read_picture, size_of


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "1"])
def test_every_mode_becomes_three_channels(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    Image.new(mode, (12, 8)).save(path)
    read = read_picture(path, 6)
    assert read.shape == (3, 6, 6)
    assert read.dtype == torch.uint8


def test_masks_keep_their_values(tmp_path: Path) -> None:
    path = files.mask(tmp_path / "m.png", [0, 3, 255, 7])
    assert read_mask(path, 8).unique().tolist() == [0, 3, 7, 255]
    assert read_mask(path, None).shape == (30, 40)
    palette = Image.open(path).convert("L").convert("P")
    palette.putpalette([i % 256 for i in range(768)])
    palette.save(tmp_path / "p.png")
    assert torch.equal(read_mask(tmp_path / "p.png", 8), read_mask(path, 8))


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_what_cannot_be_read_is_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    if content is None:
        whole = files.picture(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.png: cannot be read as a picture"):
        read_picture(path, 8)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.png: no such file"):
        size_of(tmp_path / "x.png")
