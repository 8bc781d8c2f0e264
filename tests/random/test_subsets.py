from __future__ import annotations

import itertools

import pytest
import torch

from initium.errors import UsageError
from initium.random import kernel
from initium.random.key import key_for
from initium.random.subsets import permutation, subsets

KEY = key_for(0, "w")


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (7, 3), (10, 100), (130, 33)])
def test_each_column_has_its_share_and_back_ends_agree(rows: int, cols: int) -> None:
    for size in {0, 1, rows // 3, rows // 2, rows - 1, rows}:
        found = subsets(KEY, rows, cols, size)
        with kernel.forced("torch"):
            assert torch.equal(subsets(KEY, rows, cols, size), found)

        assert found.dtype == torch.bool
        assert found.sum(0).tolist() == [size] * cols


@pytest.mark.parametrize("size", [2, 3])
def test_all_subsets_are_alike_likely(size: int) -> None:
    found = subsets(KEY, 5, 20_000, size)
    codes = (found * torch.tensor([1, 2, 4, 8, 16])[:, None]).sum(0)
    counts = torch.tensor(
        [
            int((codes == sum(2**row for row in chosen)).sum())
            for chosen in itertools.combinations(range(5), size)
        ]
    )

    # 20,000 draws among 10 subsets: 5 sigma = 5 sqrt(2000 * 0.9) = 212
    assert (counts - 2000).abs().max() < 212


def test_threads_change_nothing() -> None:
    alone = subsets(KEY, 200, 1000, 90)
    torch.set_num_threads(2)
    try:
        assert torch.equal(subsets(KEY, 200, 1000, 90), alone)
    finally:
        torch.set_num_threads(1)


def test_permutations() -> None:
    assert sorted(permutation(KEY, 1000).tolist()) == list(range(1000))
    with kernel.forced("torch"):
        expected = permutation(KEY, 1000)
    assert torch.equal(permutation(KEY, 1000), expected)
    firsts = torch.stack([permutation(key_for(seed, "p"), 4) for seed in range(2000)])

    # every value at every place: 500 of 2000, 5 sigma = 97
    for place in range(4):
        assert (torch.bincount(firsts[:, place], minlength=4) - 500).abs().max() < 97


@pytest.mark.parametrize("size", [-1, 6])
def test_sizes_out_of_range_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="subsets"):
        subsets(KEY, 5, 2, size)
