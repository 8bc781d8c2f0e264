"""Haar-distributed orthogonal matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from initium.random import torch_path
from initium.random.key import Key


def orthogonal(key: Key, rows: int, cols: int, batch: int = 1) -> Tensor:
    """`batch` fp32 matrices (rows, cols) with orthonormal rows or columns, whichever are fewer."""
    count = batch * rows * cols
    tiles = -(-count // torch_path.TILE)
    z = torch_path.normal(torch_path.words(key, 0, tiles, torch.device("cpu"))).flatten()[:count]
    z = z.view(batch, max(rows, cols), min(rows, cols))
    q, r = torch.linalg.qr(z)
    q = q * r.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    return q if rows >= cols else q.mT.contiguous()
