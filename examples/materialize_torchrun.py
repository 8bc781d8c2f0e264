r"""Give a sharded model its starting weights on every rank, and write them as a sharded checkpoint.

On one machine:

    torchrun --nproc-per-node 2 examples/materialize_torchrun.py --out weights

On many, start the same line on each, with torchrun's rendezvous options:

    torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \
        examples/materialize_torchrun.py --out /shared/weights

Every rank reads the same plan (here it makes it, from the model on meta: theory only; pass --plan for one that was
calibrated on a machine where the model fits). Nothing is sent between ranks: each draws the elements that it holds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import initium


class Block(nn.Module):
    """A residual block of two linear layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The stream and what the block adds to it."""
        y: torch.Tensor = x + self.down(torch.nn.functional.gelu(self.up(self.norm(x))))
        return y


def make(width: int, depth: int) -> nn.Sequential:
    """The model; put your own here."""
    return nn.Sequential(nn.Linear(64, width), *(Block(width) for _ in range(depth)), nn.Linear(width, 10))


def main() -> None:
    """Plan, shard, materialize, check, save."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--plan", type=Path, help="a plan as JSON; by default one is made by theory")
    parser.add_argument("--out", type=Path, help="directory for the checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=4)
    options = parser.parse_args()

    kind = "cuda" if torch.cuda.is_available() else "cpu"
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    if kind == "cuda":
        torch.cuda.set_device(rank % torch.cuda.device_count())

    with torch.device("meta"):
        model = make(options.width, options.depth)
    if options.plan:
        plan = initium.Plan.from_json(options.plan.read_text(encoding="utf-8"))
    else:
        plan = initium.plan(model, torch.empty(8, 64, device="meta"))

    mesh = init_device_mesh(kind, (world,))
    for layer in model:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    plan.materialize(model, seed=options.seed, device=kind)

    held = sum(parameter.to_local().numel() for parameter in model.parameters())  # type: ignore[attr-defined]
    total = sum(parameter.numel() for parameter in model.parameters())
    output = model(torch.ones(4, 64, device=kind))
    print(
        f"rank {rank} of {world}: {held} of {total} elements, output std {output.std().item():.3f}",
        flush=True,
    )

    if options.out:
        print(
            f"rank {rank} wrote {plan.save(options.out, seed=options.seed, rank=rank, world_size=world).name}"
        )
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
