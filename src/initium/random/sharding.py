"""Which elements of the full tensor a DTensor's local shard holds, for any mesh and placements."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

from torch import Tensor

from initium.errors import UsageError
from initium.random.region import Region, Spans


def is_dtensor(tensor: Tensor) -> TypeGuard[Any]:
    """Whether `tensor` is a DTensor; never imports torch.distributed by itself."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local_region(tensor: Any) -> Region:
    """The region of the full tensor that this rank's shard of a DTensor holds."""
    shape = tuple(tensor.shape)
    spans: list[Spans] = [((0, size),) for size in shape]
    coordinate = tensor.device_mesh.get_coordinate()
    if coordinate is None:
        return Region(shape, tuple(() for _ in shape))
    for mesh_axis, placement in enumerate(tensor.placements):
        if placement.is_replicate():
            continue
        axis = getattr(placement, "dim", None)
        if axis is None or placement.is_partial():
            raise UsageError(
                f"a DTensor with placement {placement!r}",
                expected="Replicate or Shard placements",
                remedy="redistribute the tensor before it is filled",
            )
        ranks, rank = tensor.device_mesh.size(mesh_axis), coordinate[mesh_axis]
        spans[axis] = _shard(spans[axis], ranks, rank, getattr(placement, "split_factor", 1))
    return Region(shape, tuple(spans))


def _shard(spans: Spans, ranks: int, rank: int, split_factor: int) -> Spans:
    """What `rank` of `ranks` gets: its chunk, or with a split factor its chunk of each of so many chunks."""
    length = sum(size for _, size in spans)
    parts: list[tuple[int, int]] = []
    for low, high in (_chunk(length, split_factor, piece) for piece in range(split_factor)):
        inner = _chunk(high - low, ranks, rank)
        parts += _between(spans, low + inner[0], low + inner[1])
    return tuple(parts)


def _chunk(length: int, count: int, index: int) -> tuple[int, int]:
    """Ends of chunk `index` by the rule of torch.chunk."""
    step = -(-length // count)
    return min(length, index * step), min(length, (index + 1) * step)


def _between(spans: Spans, low: int, high: int) -> list[tuple[int, int]]:
    found, at = [], 0
    for start, size in spans:
        begin, end = max(low - at, 0), min(high - at, size)
        if begin < end:
            found.append((start + begin, end - begin))
        at += size
    return found
