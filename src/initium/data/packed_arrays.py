"""Reading the arrays that come with the package."""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
from numpy.typing import NDArray


@functools.cache
def arrays(name: str) -> dict[str, NDArray[np.uint8]]:
    """All arrays of the file `name`, read once and then kept, read-only; a few megabytes at most."""
    with (
        resources.files("initium.data").joinpath("files", name).open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        loaded: dict[str, NDArray[np.uint8]] = {key: stored[key] for key in stored.files}
    for array in loaded.values():
        array.flags.writeable = False
    return loaded
