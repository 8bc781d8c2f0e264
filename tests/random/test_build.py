"""hatch_build.py at the root of the project: the kernel is compiled if it can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hatch_build import SUFFIX, compile_kernel

from initium.random import kernel

SOURCES = {"kernel.c", "kernel.h", "orthogonal.c"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SOURCES:
        shutil.copy(Path(kernel.__file__).with_name(name), tmp_path)
    return tmp_path


@pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="no C compiler here")
def test_the_kernel_is_compiled_with_the_right_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFLAGS", "-ffast-math -march=native")  # must not matter

    assert compile_kernel(folder) == ""
    assert kernel._fingerprints(kernel.Kernel(folder / f"_kernel{SUFFIX}")) == {kernel._EXPECTED}
    assert {path.name for path in folder.iterdir()} == SOURCES | {f"_kernel{SUFFIX}"}


def test_without_a_compiler_it_says_so_and_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)

    assert "no C compiler" in compile_kernel(folder)


def test_a_compiler_that_fails_leaves_nothing_behind(folder: Path) -> None:
    (folder / "kernel.c").write_text("this is not C")

    assert compile_kernel(folder) != ""
    assert {path.name for path in folder.iterdir()} == SOURCES
