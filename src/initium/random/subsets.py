"""Random subsets and permutations: which connections a sparse weight keeps, which rows go where."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.random import pool, torch_path
from initium.random.draw_constants import Kind, Recipe
from initium.random.kernel import Kernel, kernel, packed_key
from initium.random.key import Key
from initium.random.region import Run

_CPU = torch.device("cpu")
_STRIPE = 32  # columns that the kernel works on at a time
_RAW_WORDS = Recipe(Kind.WORDS, (), packed=bytes(48))


def subsets(key: Key, rows: int, cols: int, size: int) -> Tensor:
    """A bool mask (rows, cols) on the CPU, true at `size` random rows of each column, all subsets alike likely.

    By Floyd's algorithm on 32-bit words: the odds of two subsets agree to rows / 2**32.
    """
    if not 0 <= size <= rows:
        raise UsageError(
            f"subsets of {size} out of {rows} rows",
            expected="a size from 0 to the number of rows",
            remedy="pass a size in that range",
        )
    found = kernel()
    if found is None:
        return _subsets_by_torch(key, rows, cols, size)
    mask = torch.empty(rows, cols, dtype=torch.bool)
    threads = torch.get_num_threads() if mask.numel() > 1 << 16 else 1
    step = max(_STRIPE, -(-cols // (4 * threads) // _STRIPE) * _STRIPE)
    jobs = [partial(_stripe, found, mask, packed_key(key), size, at, step) for at in range(0, cols, step)]
    pool.run(jobs, threads)
    return mask


def permutation(key: Key, size: int) -> Tensor:
    """A random order of 0, ..., size - 1, int64 on the CPU."""
    high, low = (_words(key.child(tag), size).long() for tag in ("high", "low"))
    return torch.argsort(high << 32 | (low & 0xFFFFFFFF), stable=True)


def _words(key: Key, size: int) -> Tensor:
    found = kernel()
    if found is None:
        return torch_path.draw_range(_RAW_WORDS, key, 0, size, _CPU)
    words = torch.empty(size, dtype=torch.int32)
    found.fill(words.data_ptr(), torch.float32, Run(0, size, 0, 1), packed_key(key), _RAW_WORDS)
    return words


def _stripe(found: Kernel, mask: Tensor, key: bytes, size: int, start: int, step: int) -> None:
    rows, cols = mask.shape
    scratch = torch.empty(rows * _STRIPE, dtype=torch.uint8)
    stop = min(start + step, cols)
    found.subsets(mask.data_ptr(), scratch.data_ptr(), rows, cols, start, stop, size, key, found.variant)


def _subsets_by_torch(key: Key, rows: int, cols: int, size: int) -> Tensor:
    flip = size > rows // 2
    steps = rows - size if flip else size
    mask = torch.full((cols, rows), flip)
    every = torch.arange(cols)
    for step in range(steps):
        last = rows - steps + step
        word = torch_path.draw_at(_RAW_WORDS, key, every * rows + step).long() & 0xFFFFFFFF
        pick = word * (last + 1) >> 32
        pick = torch.where(mask[every, pick] != flip, last, pick)
        mask[every, pick] = not flip
    return mask.T.contiguous()
