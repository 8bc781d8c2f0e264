from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.nets import seeded
from tests.plan.nets import Small, TinyGPT, pictures, same, state_of, three_parts, token_ids

from initium import Plan, plan
from initium.errors import UsageError
from initium.plan.write.checkpoint import INDEX, share_out


def made() -> Plan:
    with seeded():
        return plan(Small(), pictures(), policy="he_normal")


def loaded(folder: Path) -> dict[str, torch.Tensor]:
    """As transformers loads it: the index, then every file it names once."""
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    files = {name: load_file(folder / name) for name in set(index["weight_map"].values())}
    assert sorted(index["weight_map"]) == sorted(key for tensors in files.values() for key in tensors)
    return {key: files[name][key] for key, name in index["weight_map"].items()}


@pytest.mark.parametrize("ranks", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_files_of_all_ranks_hold_what_materialize_makes(
    tmp_path: Path, ranks: int, dtype: torch.dtype
) -> None:
    recipe = made()
    for rank in range(ranks):
        recipe.save(tmp_path, seed=5, dtype=dtype, rank=rank, world_size=ranks)
    with torch.device("meta"):
        model = Small()
    recipe.materialize(model, seed=5, dtype=dtype)
    wanted = {name: value.detach() for name, value in model.named_parameters()}
    assert same(wanted, loaded(tmp_path))
    assert not list(tmp_path.glob(".*"))


def test_the_total_size_is_that_of_the_tensors(tmp_path: Path) -> None:
    made().save(tmp_path, dtype=torch.bfloat16)
    total = json.loads((tmp_path / INDEX).read_text(encoding="utf-8"))["metadata"]["total_size"]
    assert total == sum(tensor.numel() * 2 for tensor in loaded(tmp_path).values())


def test_a_model_loads_it(tmp_path: Path) -> None:
    recipe = made()
    recipe.save(tmp_path, seed=5)
    model = Small()
    missing, unexpected = model.load_state_dict(loaded(tmp_path), strict=False)
    assert not unexpected
    assert all("running" in name or "num_batches" in name for name in missing)
    with seeded():
        wanted = Small()
    recipe.apply(wanted, seed=5)
    assert torch.equal(model[0].weight, wanted[0].weight)


def test_a_tied_parameter_is_saved_once_under_its_first_name(tmp_path: Path) -> None:
    plan(TinyGPT(), token_ids()).save(tmp_path)
    names = set(loaded(tmp_path))
    assert "tokens.weight" in names
    assert "head.weight" not in names


def test_shares_are_balanced_and_complete() -> None:
    recipe = made()
    shares = share_out(recipe.assignments, 3)
    assert sorted(one.name for share in shares for one in share) == sorted(one.name for one in recipe)
    sizes = [sum(math.prod(one.layer.shape) for one in share) for share in shares]
    largest = max(math.prod(one.layer.shape) for one in recipe)
    assert max(sizes) - min(sizes) <= largest


@pytest.mark.parametrize(("rank", "world_size"), [(1, 1), (-1, 2), (0, 0), (5, 2)])
def test_a_rank_outside_the_world(tmp_path: Path, rank: int, world_size: int) -> None:
    with pytest.raises(UsageError) as caught:
        made().save(tmp_path, rank=rank, world_size=world_size)
    assert three_parts(caught.value)


def test_saving_twice_leaves_the_later_one(tmp_path: Path) -> None:
    recipe = made()
    recipe.save(tmp_path, seed=1)
    first = loaded(tmp_path)
    recipe.save(tmp_path, seed=2)
    assert not torch.equal(first["0.weight"], loaded(tmp_path)["0.weight"])
    assert state_of(Small()).keys() >= first.keys()
