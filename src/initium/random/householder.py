"""Haar-distributed orthogonal matrices, as products of Householder reflections drawn directly.

Stewart (1980): the Householder vectors that reduce a Gaussian matrix are themselves independent Gaussians.
So draw them and skip the reduction: exactly Haar for half the work of a QR factorization, all of it in
matrix products (compact WY form), and no input on which it fails.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from initium.random import pool, torch_path
from initium.random.distributions import Normal, Orthogonal
from initium.random.draw_constants import recipe
from initium.random.kernel import Kernel, kernel, packed_key
from initium.random.key import Key
from initium.random.region import Region, Run

_NORMAL = recipe(Normal(0.0, 1.0))
_CPU = torch.device("cpu")
_TINY_SIZE, _SMALL_SIZE, _SLIM = 1 << 13, 1 << 17, 16
_WORTH_A_THREAD = 1 << 17  # elements of small matrices that are worth waking another thread
_BLOCK = 128
_LEAST_SQUARE = 1e-30


def orthogonal(
    key: Key, rows: int, cols: int, batch: int = 1, gain: float = 1.0, dtype: torch.dtype = torch.float32
) -> Tensor:
    """`batch` matrices (rows, cols) with orthonormal rows or columns, whichever are fewer, times `gain`.

    `dtype` is fp32, or fp64 for products that are orthogonal to fp64's precision; the draws are the same.
    """
    out = torch.empty(batch, rows, cols, dtype=dtype)
    fill_orthogonal(out, key, gain)
    return out


def build_orthogonal(draw: Orthogonal, shape: tuple[int, ...], key: Key, dtype: torch.dtype) -> Tensor:
    """The whole tensor of `shape` that `draw` describes, in fp32 or fp64."""
    layout = draw.layout or tuple(range(len(shape)))
    whole = orthogonal(key, draw.rows, draw.cols, draw.batch, draw.gain, dtype)
    back = sorted(range(len(shape)), key=lambda axis: layout[axis])
    return whole.view([shape[axis] for axis in layout]).permute(back)


def fill_orthogonal(out: Tensor, key: Key, gain: float) -> None:
    """Fill a contiguous fp32 or fp64 CPU tensor (batch, rows, cols) with orthogonal matrices times `gain`."""
    batch, rows, cols = out.shape
    found = kernel()
    if found is not None and out.dtype == torch.float32 and _in_cache(rows, cols):
        _fill_small(found, out, packed_key(key), gain)
        return
    for index in range(batch):
        tall = out[index] if rows >= cols else out[index].mT
        _fill_tall(tall, key, index * rows * cols, gain, found)


def _in_cache(rows: int, cols: int) -> bool:
    """Whether the kernel makes a matrix of this shape faster by itself than matrix products can."""
    size, slimness = rows * cols, max(rows, cols) / min(rows, cols)
    return size <= _TINY_SIZE or (size <= _SMALL_SIZE and slimness <= _SLIM)


def _fill_small(found: Kernel, out: Tensor, key: bytes, gain: float) -> None:
    batch, rows, cols = out.shape
    step = max(1, _WORTH_A_THREAD // (2 * rows * cols))

    def some(first: int) -> None:
        scratch = torch.empty(rows * cols + (max(rows, cols) + 3) * (min(rows, cols) + 15))
        part = out[first : first + step]
        found.orthogonal(part.data_ptr(), scratch.data_ptr(), first, *part.shape, key, gain, found.variant)

    pool.run([partial(some, first) for first in range(0, batch, step)], torch.get_num_threads())


def _fill_tall(q: Tensor, key: Key, first: int, gain: float, found: Kernel | None) -> None:
    """Fill (n, p), n >= p: from the last block of reflections to the first, each on the part it reaches.

    Reflection j reaches coordinates j to n and spends the normals from `first` + j n + j on.
    """
    n, p = q.shape
    block = _BLOCK if p >= 4 * _BLOCK else _BLOCK // 2
    for start in reversed(range(0, p, block)):
        width = min(block, p - start)
        run = Run(first + start * n + start, n - start, n, width)
        u, signs = _reflectors(run, key, found, q.dtype)
        signs *= gain
        # The product of the block's reflections I - u u' is I - U' t U, with t from the gram matrix of U.
        t = _inverse(torch.mm(u, u.mT), found)
        part = q[start:, start:]
        z = torch.empty(width, p - start, dtype=q.dtype)
        torch.mul(u[:, :width], signs, out=z[:, :width])
        if p > start + width:
            torch.mm(u[:, width:], part[width:, width:], out=z[:, width:])
        part[:width].zero_()
        part[width:, :width].zero_()
        part.diagonal()[:width].copy_(signs)
        part.addmm_(u.mT, torch.mm(t, z), alpha=-1)


def _inverse(gram: Tensor, found: Kernel | None) -> Tensor:
    """The inverse of the upper triangle of `gram`, its diagonal replaced by ones."""
    if found is not None and gram.dtype == torch.float32:
        t = torch.empty_like(gram)
        found.invert(gram.data_ptr(), t.data_ptr(), len(gram), found.variant)
        return t
    eye = torch.eye(len(gram), dtype=gram.dtype)
    inverse: Tensor = torch.linalg.solve_triangular(gram, eye, upper=True, unitriangular=True)
    return inverse


def _reflectors(run: Run, key: Key, found: Kernel | None, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rows u of the reflections I - u u' that take rows of a draw to a coordinate axis each, and its signs."""
    if found is None:
        n = run.stride
        rows = Region.box((2**62 // n, n), divmod(run.first, n), (run.rows, run.length))
        u = torch_path.draw_box(_NORMAL, key, rows, _CPU).to(dtype)
    else:
        u = torch.empty(run.rows, run.length, dtype=dtype)
        found.fill(u.data_ptr(), dtype, run, packed_key(key), _NORMAL)
    if found is not None and dtype == torch.float32:
        signs = torch.empty(run.rows)
        found.reflectors(u.data_ptr(), signs.data_ptr(), *u.shape, found.variant)
        return u, signs
    u[:, : run.rows].triu_()
    head = u.diagonal()
    norm = torch.linalg.vector_norm(u, dim=1)
    signs = torch.where(head < 0, 1.0, -1.0).to(dtype)
    reach = norm + head.abs()
    scale = (norm * reach).clamp_min_(_LEAST_SQUARE).rsqrt_()  # a draw can be all zeros: no NaN then
    head.copy_(-signs * reach)
    return u.mul_(scale.unsqueeze(1)), signs
