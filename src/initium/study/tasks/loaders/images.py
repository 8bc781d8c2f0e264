"""Reading pictures and masks from files, resized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from initium.errors import MissingExtraError, UsageError

LISTED_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
)


def pillow() -> Any:
    """Pillow's Image module, or an error that says how to get it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            "pictures in files need Pillow, which is not installed",
            expected="the package pillow",
            remedy="pip install 'initium[vision]'",
        ) from error
    return Image


def is_picture(path: Path) -> bool:
    """Whether the name is one of a picture, and not a hidden one."""
    return path.suffix.lower() in LISTED_SUFFIXES and not path.name.startswith(".")


def pictures_in(directory: Path) -> list[Path]:
    """The pictures of a directory and those under it, in the order of their names."""
    return sorted(path for path in directory.rglob("*") if is_picture(path) and path.is_file())


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, from the head of the file."""
    with _opened(path) as image:
        width, height = image.size
        return width, height


def read_picture(path: Path, size: int) -> Tensor:
    """The picture as bytes (3, size, size); grey ones get three equal channels, transparency is left out."""
    image_module = pillow()
    with _opened(path) as image:
        small = _decoded(path, image).convert("RGB").resize((size, size), image_module.Resampling.BILINEAR)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()


def read_mask(path: Path, size: int | None) -> Tensor:
    """The mask's own values (no colours) as int64 (size, size), by the nearest pixel; None keeps its size."""
    image_module = pillow()
    with _opened(path) as image:
        if image.mode not in ("L", "P", "1", "I", "I;16"):
            raise UsageError(
                f"{path}: a mask of colours (mode {image.mode})",
                expected="one channel whose values are class numbers (mode L or P)",
                remedy="save the masks as class numbers, with or without a palette",
            )
        whole = _decoded(path, image)
        small = whole if size is None else whole.resize((size, size), image_module.Resampling.NEAREST)
    return torch.from_numpy(np.array(small).astype(np.int64))


def _opened(path: Path) -> Any:
    try:
        return pillow().open(path)
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such file", expected="a picture", remedy="add the file or its entry"
        ) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def _decoded(path: Path, image: Any) -> Any:
    try:
        image.load()
    except Exception as error:
        raise _unreadable(path, error) from error
    return image


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(
        f"{path}: cannot be read as a picture ({type(error).__name__}: {error})",
        expected="a complete picture in a format that Pillow knows",
        remedy="replace the file, or remove it and its entry",
    )
