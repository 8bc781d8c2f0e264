from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Partial, Placement, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.placement_types import _StridedShard
from torch.testing._internal.distributed.fake_pg import FakeStore

from initium.errors import UsageError
from initium.random.distributions import Blocks, Constant, Draw, Normal, Orthogonal
from initium.random.fill import fill_
from initium.random.key import key_for

KEY = key_for(0, "w")
SHAPE = (11, 7, 2)
DRAWS: list[Draw] = [
    Normal(0.0, 1.0),
    Orthogonal(1.0, 11, 14),
    Blocks(0, (4, 7), (Normal(0.0, 1.0), Constant(1.0))),
]


@pytest.fixture(params=range(4))
def rank(request: pytest.FixtureRequest) -> Iterator[int]:
    """One of four ranks, alone: local shards need no messages."""
    dist.init_process_group("fake", rank=request.param, world_size=4, store=FakeStore())
    yield request.param
    dist.destroy_process_group()


@pytest.mark.usefixtures("rank")
@pytest.mark.parametrize(
    ("mesh_shape", "placements"),
    [
        ((4,), [Shard(0)]),
        ((4,), [Shard(1)]),
        ((4,), [Shard(2)]),  # longer mesh than axis: two ranks hold nothing
        ((4,), [Replicate()]),
        ((2, 2), [Shard(0), Shard(0)]),
        ((2, 2), [Shard(0), Shard(1)]),
        ((2, 2), [Shard(1), Replicate()]),
        ((2, 2), [_StridedShard(0, split_factor=2), Shard(0)]),  # FSDP2 over tensor parallel
        ((2, 2), [_StridedShard(1, split_factor=2), Shard(1)]),
    ],
)
@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: type(draw).__name__)
def test_a_shard_draws_its_own_elements(
    mesh_shape: tuple[int, ...], placements: list[Placement], draw: Draw
) -> None:
    mesh = init_device_mesh("cpu", mesh_shape)
    whole = fill_(torch.empty(SHAPE), draw, KEY)
    expected = distribute_tensor(whole, mesh, placements, src_data_rank=None).to_local()
    tensor = distribute_tensor(torch.zeros(SHAPE), mesh, placements, src_data_rank=None)
    fill_(tensor, draw, KEY)

    assert torch.equal(tensor.to_local(), expected)


@pytest.mark.usefixtures("rank")
def test_partial_sums_are_refused() -> None:
    mesh = init_device_mesh("cpu", (4,))
    tensor = torch.distributed.tensor.DTensor.from_local(torch.zeros(3), mesh, [Partial()], run_check=False)

    with pytest.raises(UsageError, match="Partial"):
        fill_(tensor, Normal(0.0, 1.0), KEY)
