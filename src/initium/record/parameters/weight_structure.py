"""Whether a weight looks like independent draws: what theory needs to know of its values beside their size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

PROBED_ROWS, CLOSE_ROWS = 64, 4


@dataclass(frozen=True, slots=True)
class Structure:
    """How the rows (axis 0) of a weight depart from independent draws, over a few of them.

    Args:
        sums: mean of (sum of a row)^2 / (its length x E w^2): 1 for independent values, 0 for rows without mean.
        tap_sums: the same of the inputs of a row at each tap of a kernel; of a matrix `sums`.
        zeros: share of exact zeros, in the first few rows.
        paired: share of these rows whose values come in pairs of opposite sign.
        opposite: whether the rows, or those of each part, are a half and the same half with the other sign, as far as
            was looked.
        rows: number of rows that were summed.
        taps: number of taps of the kernel.
    """

    sums: float = 1.0
    tap_sums: float = 1.0
    zeros: float = 0.0
    paired: float = 0.0
    opposite: bool = False
    rows: int = 0
    taps: int = 1

    @property
    def row_sum(self) -> float:
        """`sums`, and 1 where it differs from 1 by no more than chance."""
        return _beyond_chance(self.sums, self.rows)

    @property
    def tap_sum(self) -> float:
        """`tap_sums`, and 1 where it differs from 1 by no more than chance."""
        return _beyond_chance(self.tap_sums, self.rows * self.taps)


def _beyond_chance(share: float, count: int) -> float:
    chance = 4.0 * math.sqrt(2.0 / count) if count else math.inf
    return 1.0 if abs(math.log(max(share, 1e-12))) <= chance else share


@torch.no_grad()
def structure_of(tensor: Tensor) -> Structure:
    """The structure of a weight of at least two axes; what independent draws show for everything else."""
    if tensor.dim() < 2 or tensor.is_meta or tensor.numel() == 0 or not tensor.is_floating_point():
        return Structure()
    rows = tensor.detach()[:: -(-tensor.shape[0] // PROBED_ROWS)].flatten(1)
    total = float(
        torch.linalg.vector_norm(rows, dtype=torch.promote_types(rows.dtype, torch.float32))
    ) ** 2 / len(rows)
    if not (0 < total < math.inf):
        return Structure()
    at_taps = rows.reshape(len(rows), tensor.shape[1], -1).sum(1, dtype=torch.float32)
    taps = at_taps.shape[1]
    sums = float(at_taps.sum(1).square_().mean()) / total
    tap_sums = float(at_taps.square_().mean()) * taps / total
    # Sorted, a row of pairs of opposite sign is its own mirror image.
    few = rows[:CLOSE_ROWS].float().sort(1).values
    paired = ((few + few.flip(1)) == 0).all(1) & (few != 0).any(1)
    zeros, share = float((few == 0).float().mean()), float(paired.float().mean())
    return Structure(sums, tap_sums, zeros, share, _is_opposite(tensor.detach()), len(rows), taps)


def _is_opposite(tensor: Tensor) -> bool:
    """Whether the first rows come again with the other sign, all at one distance: half of all rows, or of a part."""
    rows = tensor.flatten(1)
    for twin in (rows[:, 0] == -rows[0, 0]).nonzero()[:PROBED_ROWS, 0].tolist():
        few = min(twin, CLOSE_ROWS)
        if twin and len(rows) % (2 * twin) == 0 and bool((rows[:few] == -rows[twin : twin + few]).all()):
            return True
    return False


INDEPENDENT = Structure()
"""What independent draws show."""
