"""The compiled kernel: found beside this file, checked against known bits, called through ctypes.

INITIUM_KERNEL=base, avx2, avx512 or torch in the environment forces a variant, or the torch path.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from initium.errors import UsageError
from initium.random.distributions import Normal, TruncatedNormal, Uniform
from initium.random.draw_constants import Recipe, recipe
from initium.random.key import Key
from initium.random.region import Run

TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
"""Element types that the kernel writes, and its numbers for them."""

VARIANTS = ("base", "avx2", "avx512")
"""Instruction sets the kernel is compiled for; "base" is SSE2 on x86-64 and NEON on ARM."""

_SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
PATH = Path(__file__).with_name(f"_kernel{_SUFFIX}")

_forced: str | None = os.environ.get("INITIUM_KERNEL") or None


class Kernel:
    """The shared library and the widest variant of it that this CPU runs."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        word, pointer, small = ctypes.c_uint64, ctypes.c_void_p, ctypes.c_int32
        self._fill = _bind(library.initium_fill, pointer, *(word,) * 4, pointer, pointer, small)
        # Small tensors hold on to the interpreter lock: letting go of it costs more than the draw.
        self.fill_small = _bind(
            ctypes.PyDLL(str(path)).initium_fill_small, pointer, word, pointer, pointer, small
        )
        self.clear = _bind(library.initium_clear, pointer, pointer, word, small)
        self.subsets = _bind(library.initium_subsets, pointer, pointer, *(word,) * 5, pointer, small)
        self.reflectors = _bind(library.initium_reflectors, pointer, pointer, word, word, small)
        self.invert = _bind(library.initium_invert, pointer, pointer, word, small)
        self.orthogonal = _bind(
            library.initium_orthogonal, pointer, pointer, *(word,) * 4, pointer, ctypes.c_float, small
        )
        mask = library.initium_variants()
        self.variants = tuple(name for bit, name in enumerate(VARIANTS) if mask >> bit & 1)
        self.use(self.variants[-1])

    def use(self, variant: str) -> None:
        """Choose one of `variants`."""
        self.variant = VARIANTS.index(variant)
        self.codes = {dtype: number + len(TYPES) * self.variant for dtype, number in TYPES.items()}

    def fill(self, to: int, dtype: torch.dtype, run: Run, key: bytes | int, made: Recipe) -> None:
        """Write the elements of `run`, one after the other, to the address `to`."""
        self._fill(to, *run, key, made.packed, self.codes[dtype])


def _bind(function: Any, *types: Any) -> Any:
    function.argtypes, function.restype = types, None
    return function


def packed_key(key: Key) -> bytes:
    """A key as the kernel reads it: two 64-bit integers, low word first."""
    return struct.pack("=2Q", key.k0 | key.k1 << 32, key.k2 | key.k3 << 32)


def kernel() -> Kernel | None:
    """The kernel to use, or None for the torch path."""
    if _forced is None:
        return _loaded()
    if _forced == "torch":
        return None
    found = _loaded()
    if found is None or _forced not in found.variants:
        raise UsageError(
            f"the kernel variant {_forced!r} was asked for",
            expected=f"torch, or one that runs here: {', '.join(found.variants if found else ())}",
            remedy="unset INITIUM_KERNEL to let the library choose",
        )
    found.use(_forced)
    return found


@contextmanager
def forced(variant: str) -> Iterator[None]:
    """Use one variant of the kernel, or "torch", inside the block: for tests and measurements."""
    global _forced  # noqa: PLW0603
    before, _forced = _forced, variant
    try:
        kernel()
        yield
    finally:
        _forced = before
        found = _loaded()
        if found is not None:
            found.use(found.variants[-1])


@functools.cache
def _loaded() -> Kernel | None:
    problem = "it was not built, for want of a C compiler when initium was installed"
    if PATH.exists():
        try:
            candidate = Kernel(PATH)
        except (OSError, AttributeError) as error:
            problem = f"{PATH.name} cannot be loaded ({error})"
        else:
            if _fingerprints(candidate) == {_EXPECTED}:
                return candidate
            problem = f"{PATH.name} does not give the bits it should: it is stale or wrongly compiled"
    warnings.warn(
        f"initium fills tensors without its compiled kernel: {problem}. "
        "The numbers are the same, only slower to make. "
        "To have the kernel, install a C compiler (gcc or clang) and install initium again.",
        stacklevel=4,
    )
    return None


_EXPECTED = 0x401B24CE


def _fingerprints(candidate: Kernel) -> set[int]:
    """Checksums of some tiles by each variant: a library built otherwise than meant must not be used."""
    key = packed_key(Key(0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344))
    draws = (
        Uniform(-1, 1),
        Normal(0, 1),
        *(TruncatedNormal(0, 1, -1, b, corrected=False) for b in (2, 3, 9)),
    )
    tile = (ctypes.c_float * 1024)()
    found = set()
    for variant in candidate.variants:
        candidate.use(variant)
        total = 0
        for draw in draws:
            candidate.fill(ctypes.addressof(tile), torch.float32, Run(0, 1024, 0, 1), key, recipe(draw))
            total = zlib.crc32(bytes(tile), total)
        found.add(total)
    return found
