"""What the ranks of a sharded model do; run as a program by test_sharding.py, once for all scenarios.

    python -m tests.plan.sharded WORLD_SIZES    prints one JSON object: "scenario@world" -> "" or what went wrong

Ranks are forked from one process that has imported torch already, and meet through a file, not a port.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tests.nets import seeded
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils._python_dispatch import TorchDispatchMode

from initium import Plan, Rule, plan

SEED = 11
INPUTS = (torch.arange(6).reshape(2, 3),)


class Net(nn.Module):
    """Tied embedding and head, packed attention, sizes that no number of ranks divides."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(13, 10)
        self.packed = nn.Linear(10, 30)
        self.up, self.down = nn.Linear(10, 22), nn.Linear(22, 10)
        self.norm = nn.LayerNorm(10)
        self.conv = nn.Conv1d(10, 10, 3, padding=1)
        self.head = nn.Linear(10, 13, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        q, k, v = self.packed(self.norm(x)).chunk(3, -1)
        x = x + nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.down(torch.relu(self.up(x)))
        return self.head(self.conv(x.mT).mT)


RULES = (
    Rule(where="up.weight", method="orthogonal"),
    Rule(where="up.bias", method="normal", std=0.1),
    Rule(where="down.weight", method="sparse"),
    Rule(where="packed.weight", method="xavier_uniform"),
    Rule(where="embed.weight", method="truncated_normal", std=0.02),
    Rule(where="norm.bias", method="uniform", low=-0.5, high=0.25),
    Rule(where="*.bias", method="zeros"),
)


def build(device: str = "cpu") -> Net:
    with torch.device(device), seeded():
        return Net()


@cache
def made() -> Plan:
    return plan(build(), INPUTS, policy="he_normal", rules=RULES, seed=SEED)


@cache
def expected(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    model = build()
    made().apply(model, seed=SEED)
    return {name: value.detach().to(dtype) for name, value in model.named_parameters()}


def check(model: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Every shard and every whole parameter has the bits of the single process."""
    wanted = expected(dtype)
    found = dict(model.named_parameters())
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        whole = value.full_tensor() if isinstance(value, DTensor) else value
        assert torch.equal(whole.detach(), wanted[name]), f"{name} differs"


def shard_fully(model: Net, **options: Any) -> Net:
    # Tied parameters belong to the root; fully_shard does not part them.
    for block in (model.packed, model.up, model.down, model.conv):
        fully_shard(block, **options)
    fully_shard(model, **options)
    return model


def fsdp_materialize(dtype: torch.dtype | None = None) -> None:
    model = shard_fully(build("meta"), mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    parameters = list(model.parameters())
    assert all(isinstance(p, DTensor) and p.is_meta for p in parameters)
    assert made().materialize(model, seed=SEED, dtype=dtype) is model
    assert model.head.weight is model.embed.weight
    check(model, dtype or torch.float32)
    loss = model(*INPUTS).float().square().mean()
    loss.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad.to_local()).all() for p in model.parameters())


def fsdp_bfloat16() -> None:
    fsdp_materialize(torch.bfloat16)


def fsdp_to_empty_then_bound_resets() -> None:
    """As FSDP's documentation has it: shard on meta, to_empty, and every module resets its own parameters."""
    model = build("meta")
    made().bind(model, seed=SEED)
    shard_fully(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    model.to_empty(device="cpu")
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    check(model)


def fsdp_to_empty_then_materialize() -> None:
    """A model that already has storage is filled where it is."""
    model = shard_fully(build("meta"), mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    model.to_empty(device="cpu")
    before = {name: id(p) for name, p in model.named_parameters()}
    for value in model.parameters():
        nn.init.constant_(value.to_local(), float("nan"))
    made().materialize(model, seed=SEED)
    assert before == {name: id(p) for name, p in model.named_parameters()}
    wanted = expected()
    for one in made():
        if not one.keeps:  # what is kept has no right values to return to: its storage was given by to_empty
            assert torch.equal(model.get_parameter(one.name).full_tensor(), wanted[one.name]), one.name


def fsdp_apply() -> None:
    """Apply writes into the shards of a model that was sharded with values, and its receipt tells whole tensors."""
    single = build()
    wanted = made().apply(single, seed=SEED)
    model = shard_fully(build(), mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    receipt = made().apply(model, seed=SEED)
    check(model)
    for got, want in zip(receipt.entries, wanted.entries, strict=True):
        assert abs(got.mean - want.mean) < 1e-5, (got, want)
        assert abs(got.std - want.std) < 1e-5, (got, want)


def tensor_parallel() -> None:
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    model = parallelize_module(
        build("meta"), mesh, {"packed": ColwiseParallel(), "up": ColwiseParallel(), "down": RowwiseParallel()}
    )
    assert isinstance(model.up.weight, DTensor)
    assert model.up.weight.placements == (Shard(0),)
    assert model.down.weight.placements == (Shard(1),)
    made().materialize(model, seed=SEED)
    check(model)


def by_hand() -> None:
    """Parameters distributed one by one, along every axis and replicated."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    model = build("meta")
    model.head.weight = model.embed.weight
    places = {"embed.weight": Shard(1), "up.weight": Shard(1), "down.weight": Replicate(), "conv.weight": Shard(2),
              "packed.weight": Shard(0), "up.bias": Shard(0)}  # fmt: skip
    for name, place in places.items():
        path, _, leaf = name.rpartition(".")
        owner = model.get_submodule(path)
        local = distribute_tensor(owner._parameters[leaf].detach(), mesh, [place])
        owner._parameters[leaf] = nn.Parameter(local)
    model.head.weight = model.embed.weight
    made().materialize(model, seed=SEED)
    check(model)


def two_axes() -> None:
    """Tensor parallel inside FSDP: shards of shards, which torch keeps in a strided order."""
    mesh = init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("dp", "tp"))
    model = parallelize_module(
        build("meta"), mesh["tp"], {"up": ColwiseParallel(), "down": RowwiseParallel()}
    )
    fully_shard(model.up, mesh=mesh["dp"])
    fully_shard(model.down, mesh=mesh["dp"])
    fully_shard(model, mesh=mesh["dp"])
    made().materialize(model, seed=SEED)
    check(model)


def hybrid() -> None:
    """Replicated over one axis of the mesh, sharded over the other."""
    mesh = init_device_mesh("cpu", (2, dist.get_world_size() // 2), mesh_dim_names=("replicate", "shard"))
    model = shard_fully(build("meta"), mesh=mesh)
    made().materialize(model, seed=SEED)
    check(model)


class Largest(TorchDispatchMode):
    """The most elements that any operation has returned in one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in torch.utils._pytree.tree_leaves(out):
            if isinstance(leaf, Tensor) and not leaf.is_meta and not isinstance(leaf, DTensor):
                self.numel = max(self.numel, leaf.numel())
        return out


def no_full_copy() -> None:
    """No tensor larger than the rank's own share is ever made, for draws that are functions of the element."""
    ranks = dist.get_world_size()
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(512, 2048, bias=False), nn.Linear(2048, 512, bias=False))
    recipe = plan(model, torch.empty(2, 512, device="meta"), policy="truncated_normal", seed=SEED)
    for layer in model:
        fully_shard(layer, mesh=init_device_mesh("cpu", (ranks,)))
    fully_shard(model, mesh=init_device_mesh("cpu", (ranks,)))
    with Largest() as seen:
        recipe.materialize(model, seed=SEED, dtype=torch.bfloat16)
    assert seen.numel <= 2048 * 512 // ranks, seen.numel
    assert isinstance(model, FSDPModule)


SCENARIOS: dict[str, tuple[Callable[[], None], tuple[int, ...]]] = {
    "fsdp_materialize": (fsdp_materialize, (1, 2, 4)),
    "fsdp_bfloat16": (fsdp_bfloat16, (4,)),
    "fsdp_to_empty_then_bound_resets": (fsdp_to_empty_then_bound_resets, (2, 4)),
    "fsdp_to_empty_then_materialize": (fsdp_to_empty_then_materialize, (2,)),
    "fsdp_apply": (fsdp_apply, (1, 2, 4)),
    "tensor_parallel": (tensor_parallel, (1, 2, 4)),
    "by_hand": (by_hand, (1, 2, 4)),
    "two_axes": (two_axes, (4,)),
    "hybrid": (hybrid, (4,)),
    "no_full_copy": (no_full_copy, (2, 4)),
}


def work(rank: int, world: int, folder: str) -> None:
    """One rank: every scenario of this world size in turn; what went wrong goes into a file."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet{world}", rank=rank, world_size=world)
    results = {}
    for name, (scenario, worlds) in SCENARIOS.items():
        if world in worlds:
            results[f"{name}@{world}"] = problem_of(scenario)
            dist.barrier()
    Path(folder, f"{world}-{rank}.json").write_text(json.dumps(results), encoding="utf-8")
    dist.destroy_process_group()


def problem_of(scenario: Callable[[], None]) -> str:
    try:
        scenario()
    except BaseException:  # noqa: BLE001 - the other ranks must go on, and the test shows the text
        return traceback.format_exc()
    return ""


def main() -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    context = multiprocessing.get_context("fork")
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for world in map(int, sys.argv[1:]):
            ranks = [context.Process(target=partial(work, rank, world, folder)) for rank in range(world)]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
            for path in sorted(Path(folder).glob(f"{world}-*.json")):
                for key, problem in json.loads(path.read_text(encoding="utf-8")).items():
                    found[key] = found.get(key) or problem
    print(json.dumps(found))


if __name__ == "__main__":
    main()
