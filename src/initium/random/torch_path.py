"""The draws in plain torch operations: for every device, and where there is no compiled kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from initium.random.key import Key

_ROTATIONS = ((10, 26), (11, 21), (13, 27), (23, 5), (6, 20), (17, 11), (25, 10), (18, 20))
_PARITY = 0x1BD11BDA
TILE = 1024
LANES = 256


def _signed(word: int) -> int:
    return ((word + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def _rotate(x: Tensor, by: int) -> Tensor:
    return (x << by) | ((x >> (32 - by)) & ((1 << by) - 1))


def threefry(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: Key) -> list[Tensor]:
    """Threefry-4x32-20: four int32 tensors of counters to four of random words."""
    parity = _PARITY ^ key.k0 ^ key.k1 ^ key.k2 ^ key.k3
    schedule = [_signed(word) for word in (*key, parity)]
    x = [word + schedule[i] for i, word in enumerate(counter)]
    for turn in range(20):
        one, two = (1, 3) if turn % 2 == 0 else (3, 1)
        x[0] = x[0] + x[one]
        x[one] = _rotate(x[one], _ROTATIONS[turn % 8][0]) ^ x[0]
        x[2] = x[2] + x[two]
        x[two] = _rotate(x[two], _ROTATIONS[turn % 8][1]) ^ x[2]
        if turn % 4 == 3:
            step = turn // 4 + 1
            x = [word + schedule[(step + i) % 5] for i, word in enumerate(x)]
            x[3] = x[3] + step
    return x


def words(key: Key, first_tile: int, num_tiles: int, device: torch.device) -> Tensor:
    """Random int32 words of whole tiles, as (num_tiles, 4, 256)."""
    start = first_tile * LANES
    counter = torch.arange(start, start + num_tiles * LANES, dtype=torch.int64, device=device)
    low = counter & 0xFFFFFFFF
    low = torch.where(low >= 2**31, low - 2**32, low).to(torch.int32)
    high = (counter >> 32).to(torch.int32)
    zero = torch.zeros_like(low)
    x = threefry((low, high, zero, zero), key)
    return torch.stack([word.view(num_tiles, LANES) for word in x], dim=1)


def uniform01(x: Tensor) -> Tensor:
    """Words to fp32 uniforms strictly inside (0, 1)."""
    return (((x >> 1) & 0x7FFFFFFF).float() + 0.5) * 2.0**-31


def normal(x: Tensor) -> Tensor:
    """Words of tiles to standard normals, by Box and Muller."""
    pairs = x.view(-1, 2, 2, LANES)
    radius = torch.sqrt(-2 * torch.log(uniform01(pairs[:, :, 0])))
    angle = 2 * math.pi * uniform01(pairs[:, :, 1])
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], dim=2).view_as(x)
