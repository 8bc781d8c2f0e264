"""Resized pictures kept between processes: one safetensors file a data set, found by what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

CACHE_FORMAT = 2
"""Raised when data are prepared, or checked, in another way."""


def directory() -> Path:
    """Where prepared data are kept: INITIUM_CACHE, or `initium` in the user's cache directory."""
    own = os.environ.get("INITIUM_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else (Path(base) if base else Path.home() / ".cache") / "initium"


def fingerprint(files: Iterable[Path], settings: dict[str, Any]) -> str:
    """A name for what is made of these files (by path, size and time of change) with these settings."""
    digest = hashlib.blake2b(json.dumps([CACHE_FORMAT, settings], sort_keys=True).encode(), digest_size=16)
    for path in files:
        seen = path.stat()
        digest.update(f"{path}\0{seen.st_size}\0{seen.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def kept(name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors of that name, made now if they are not kept yet.

    A directory that cannot be written to costs only the next process its time; a file that cannot be read is made anew.
    """
    path = directory() / "data" / f"{name}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        tensors = make()
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, part)
        part.replace(path)
    except (OSError, SafetensorError):  # the latter where the disk is full
        part.unlink(missing_ok=True)
    return tensors
