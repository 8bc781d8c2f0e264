"""Write a draw into a tensor, in place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from initium.random import torch_path
from initium.random.distributions import (
    Blocks,
    Built,
    Constant,
    Draw,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)
from initium.random.key import Key
from initium.random.orthogonal import orthogonal


def fill_(tensor: Tensor, draw: Draw, key: Key) -> Tensor:
    """Fill `tensor` in place with `draw` under `key` and return it."""
    with torch.no_grad():
        if isinstance(draw, Blocks):
            parts = tensor.split(list(draw.sizes), dim=draw.axis)
            for index, (part, inner) in enumerate(zip(parts, draw.draws, strict=True)):
                fill_(part, inner, key.child(f"block{index}"))
        else:
            tensor.copy_(_draw(tuple(tensor.shape), draw, key))
    return tensor


def fill_many_(jobs: Sequence[tuple[Tensor, Draw, Key]]) -> None:
    """Fill many tensors, each by its own draw and key."""
    for tensor, draw, key in jobs:
        fill_(tensor, draw, key)


def _draw(shape: tuple[int, ...], draw: Draw, key: Key) -> Tensor:
    if isinstance(draw, Constant):
        return torch.full(shape, draw.value)
    if isinstance(draw, Built):
        return draw.build(shape, key) * draw.scale
    if isinstance(draw, Orthogonal):
        layout = draw.layout or tuple(range(len(shape)))
        whole = orthogonal(key, draw.rows, draw.cols, draw.batch) * draw.gain
        back = sorted(range(len(shape)), key=lambda axis: layout[axis])
        return whole.reshape([shape[axis] for axis in layout]).permute(back)
    count = math.prod(shape)
    tiles = -(-count // torch_path.TILE)
    x = torch_path.words(key, 0, tiles, torch.device("cpu"))
    return _values(x, draw).flatten()[:count].reshape(shape)


def _values(x: Tensor, draw: Draw) -> Tensor:
    if isinstance(draw, Uniform):
        return draw.low + (draw.high - draw.low) * torch_path.uniform01(x)
    if isinstance(draw, Normal):
        return draw.mean + draw.std * torch_path.normal(x)
    if isinstance(draw, Integers):
        return draw.low + (torch_path.uniform01(x) * (draw.high - draw.low)).long()
    assert isinstance(draw, TruncatedNormal)
    low, high = _phi(draw.low), _phi(draw.high)
    z = torch.special.ndtri(low + (high - low) * torch_path.uniform01(x).double()).float()
    std = draw.std / (_cut_std(draw.low, draw.high) if draw.corrected else 1.0)
    return draw.mean + std * z


def _phi(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _cut_std(low: float, high: float) -> float:
    mass = _phi(high) - _phi(low)
    density = [math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) for z in (low, high)]
    edges = [z * d if d > 0 else 0.0 for z, d in zip((low, high), density, strict=True)]
    mean = (density[0] - density[1]) / mass
    return math.sqrt(1 + (edges[0] - edges[1]) / mass - mean * mean)
