"""Write a planned model to disk without ever building it: every rank draws and saves its own files."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from initium.errors import UsageError
from initium.plan.records.assignment import Assignment
from initium.plan.write.materialize import filling
from initium.random import fill_many_, key_for
from initium.report import replacing, write_atomically

INDEX = "model.safetensors.index.json"


def write_checkpoint(
    assignments: Sequence[Assignment],
    directory: str | Path,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    rank: int = 0,
    world_size: int = 1,
) -> Path:
    """Draw this rank's share of the parameters and save it as one safetensors file; rank 0 also writes the index.

    The shares are whole tensors, balanced by size, and follow from the plan alone: ranks need not talk.

    Returns:
        The path of this rank's file.

    Raises:
        UsageError: `rank` is not below `world_size`.
        OutputError: the disk is full or cannot be written to.
    """
    if not 0 <= rank < world_size:
        raise UsageError(
            f"rank {rank} of {world_size}",
            expected="0 <= rank < world_size",
            remedy="pass torchrun's RANK and WORLD_SIZE",
        )
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    shares = share_out(assignments, world_size)
    names = [f"model-{number + 1:05d}-of-{world_size:05d}.safetensors" for number in range(world_size)]
    tensors = {one.name: torch.empty(one.layer.shape, dtype=dtype) for one in shares[rank]}
    fill_many_([(tensors[one.name], filling(one), key_for(seed, one.name)) for one in shares[rank]])
    with replacing(folder / names[rank]) as partial:
        save_file(tensors, partial, metadata={"format": "pt"})
    # Every rank knows all names and shares from the plan, so one can write the index without waiting for the others.
    if rank == 0:
        total = sum(math.prod(one.layer.shape) for one in assignments) * dtype.itemsize
        weight_map = {one.name: names[number] for number, share in enumerate(shares) for one in share}
        content = json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=1)
        write_atomically(folder / INDEX, content)
    return folder / names[rank]


def share_out(assignments: Sequence[Assignment], world_size: int) -> list[list[Assignment]]:
    """Parameters dealt to ranks, largest first, each to the rank with the least so far."""
    loads = [0] * world_size
    shares: list[list[Assignment]] = [[] for _ in range(world_size)]
    # Largest first keeps the greedy deal within 4/3 of the best; the sort is stable, so all ranks agree.
    for one in sorted(assignments, key=lambda one: -math.prod(one.layer.shape)):
        rank = loads.index(min(loads))
        loads[rank] += math.prod(one.layer.shape)
        shares[rank].append(one)
    return shares
