from __future__ import annotations

import io
from importlib import resources

import numpy as np
import pytest

from initium.data import packed_arrays
from initium.data.packed_arrays import arrays

FILES = {"fashion_mnist.npz": 3_000_000, "photographs.npz": 1_000_000}


@pytest.mark.parametrize("name", FILES)
def test_arrays_are_bytes_that_cannot_be_changed_by_accident(name):
    for array in arrays(name).values():
        assert array.dtype == np.uint8
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("name", FILES)
def test_files_are_small_and_have_a_licence_beside_them(name):
    folder = resources.files("initium.data") / "files"
    assert len((folder / name).read_bytes()) < FILES[name]
    licence = (folder / f"LICENSE.{name.removesuffix('.npz').replace('_', '-')}").read_text()
    assert name in licence


def test_every_photograph_is_credited():
    text = (resources.files("initium.data") / "files" / "LICENSE.photographs").read_text()
    assert all(f"\n{name} " in text for name in arrays("photographs.npz"))


def test_pickled_objects_are_refused(monkeypatch, tmp_path):
    file = io.BytesIO()
    np.savez(file, evil=np.array([object()], dtype=object))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "evil.npz").write_bytes(file.getvalue())
    monkeypatch.setattr(packed_arrays.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="pickle"):
        arrays("evil.npz")
