"""Haar-distributed orthogonal matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from initium.random import torch_path
from initium.random.distributions import Normal
from initium.random.distributions import Orthogonal as Draw
from initium.random.key import Key
from initium.random.recipe import recipe


def orthogonal(key: Key, rows: int, cols: int, batch: int = 1) -> Tensor:
    """`batch` fp32 matrices (rows, cols) with orthonormal rows or columns, whichever are fewer."""
    z = torch_path.draw_range(recipe(Normal(0.0, 1.0)), key, 0, batch * rows * cols, torch.device("cpu"))
    z = z.view(batch, max(rows, cols), min(rows, cols))
    q, r = torch.linalg.qr(z)
    q = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    result: Tensor = q if rows >= cols else q.mT.contiguous()
    return result


def build_orthogonal(draw: Draw, shape: tuple[int, ...], key: Key) -> Tensor:
    """The whole fp32 tensor of `shape` that `draw` describes."""
    layout = draw.layout or tuple(range(len(shape)))
    whole = orthogonal(key, draw.rows, draw.cols, draw.batch) * draw.gain
    back = sorted(range(len(shape)), key=lambda axis: layout[axis])
    return whole.reshape([shape[axis] for axis in layout]).permute(back)
