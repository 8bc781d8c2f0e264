"""How strong branches start: shares by hand, and targets against the recursion of the stream that they make."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import Basic, noise, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.plan.structure.branch_scale import is_projected, share_of, source_of, target_of, watched
from initium.record import Record
from initium.record.graph.graph import Residual

WIDTH = 32
WEAKER = 16
"""Branches without a norm start 16 times weaker; a number of the design, so it stands here too."""


class Stack(nn.Module):
    """Blocks x -> join(x, branch(x)), each branch two maps and a ReLU, a norm before them or not."""

    def __init__(
        self, blocks: int, join: Callable[[Tensor, Tensor], Tensor], *, normed: bool = False
    ) -> None:
        super().__init__()
        self.stem, self.head, self.join = nn.Linear(8, WIDTH), nn.Linear(WIDTH, 3), join
        self.branches = nn.ModuleList(
            nn.Sequential(
                *([nn.LayerNorm(WIDTH)] if normed else []),
                nn.Linear(WIDTH, WIDTH),
                nn.ReLU(),
                nn.Linear(WIDTH, WIDTH),
            )
            for _ in range(blocks)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for branch in self.branches:
            x = self.join(x, branch(x))
        return self.head(x)


def seen_of(blocks: int, join: Callable[[Tensor, Tensor], Tensor], *, normed: bool = False) -> Record:
    with seeded():
        return record(Stack(blocks, join, normed=normed), noise(16, 8))


def branches(seen: Record) -> list[Residual]:
    return list(seen.graph.residuals.values())


def added(x: Tensor, f: Tensor) -> Tensor:
    return x + f


@pytest.mark.parametrize("blocks", [1, 4, 12])
def test_normed_branches_add_together_what_the_stream_held(blocks: int) -> None:
    seen = seen_of(blocks, added, normed=True)
    shares = [share_of(seen.graph, one) for one in branches(seen)]
    assert shares == [pytest.approx(1 / blocks)] * blocks


@pytest.mark.parametrize("blocks", [1, 4, 12])
def test_branches_without_a_norm_add_a_sixteenth_of_that(blocks: int) -> None:
    seen = seen_of(blocks, added)
    shares = [share_of(seen.graph, one) for one in branches(seen)]
    assert shares == [pytest.approx(1 / (WEAKER * blocks))] * blocks


def test_a_branch_beside_a_skip_with_weights_is_its_peer() -> None:
    class Wider(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.skip, self.one, self.two, self.head = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.skip(x) + self.two(F.relu(self.one(x))))

    seen = record(Wider(), noise(16, 8))
    (branch,) = branches(seen)
    assert is_projected(seen.graph, branch)
    assert share_of(seen.graph, branch) == 1.0


def test_with_norms_a_projected_block_counts_as_others() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), Basic(8, 8), Basic(8, 16))
    seen = record(model, noise(4, 3, 8, 8))
    first, second = branches(seen)
    assert (is_projected(seen.graph, first), is_projected(seen.graph, second)) == (False, True)
    assert [share_of(seen.graph, one) for one in (first, second)] == [0.5, 0.5]


def test_streams_are_counted_apart() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Stack(3, added), Stack(5, added)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([self.first(x), self.second(x)], 1)

    seen = record(Two(), noise(16, 8))
    shares = [share_of(seen.graph, one) for one in branches(seen)]
    assert shares == pytest.approx([1 / (WEAKER * 3)] * 3 + [1 / (WEAKER * 5)] * 5)


def test_the_target_is_a_share_of_the_stream_as_it_stands() -> None:
    seen = seen_of(4, added, normed=True)
    for one in branches(seen):
        assert target_of(seen.graph, one)({one.stream: 6.0}) == pytest.approx(6.0 / 4)
        assert target_of(seen.graph, one)({}) == pytest.approx(1.0 / 4)  # nothing measured: unit scale


JOINS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "rescaled sum": (lambda x, f: (x + f) / math.sqrt(2.0), 1.0, 1.0),
    "average": (lambda x, f: 0.5 * x + 0.5 * f, 0.25, 0.25),
    "weights of each": (lambda x, f: 0.8 * x + 0.6 * f, 0.64, 0.36),
    "blend": (lambda x, f: x + 0.3 * (f - x), 0.49, 0.09),
}  # fmt: skip
"""How a block joins the two, and the factors on their second moments."""


@pytest.mark.parametrize("name", ["average", "weights of each", "blend"])
def test_a_leaking_stream_is_filled_up_to_unit_scale(name: str) -> None:
    """kept p + taken F^2 = 1, solved for what the branch must make."""
    join, kept, taken = JOINS[name]
    seen = seen_of(4, join)
    for one in branches(seen):
        held = {source_of(seen.graph, one.stream): 0.9, one.stream: 0.9}
        wanted = target_of(seen.graph, one)(held)
        assert kept * 0.9 + taken * min(wanted, 9.0) == pytest.approx(
            1.0, rel=1e-4
        ) or wanted == pytest.approx(9.0)
        assert wanted <= 10.0 * 0.9 + 1e-6


def test_a_branch_never_exceeds_ten_times_its_stream() -> None:
    """A block that takes a hundredth of a branch keeps nearly all of the stream: nothing needs 100 times."""
    seen = seen_of(4, lambda x, f: x + 0.1 * (f - x))
    for one in branches(seen):
        assert target_of(seen.graph, one)({one.stream: 1.0}) == pytest.approx(10.0)


def test_branches_that_multiply_the_stream_by_itself_stay_weak_in_a_leaking_stream() -> None:
    class Steep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.a, self.b, self.head = (nn.Linear(8, 8, bias=False) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for _ in range(2):
                x = (x + self.a(x) * self.b(x)) / math.sqrt(2.0)
            return self.head(x)

    seen = record(Steep(), noise(16, 8))
    last = branches(seen)[-1]
    held = {source_of(seen.graph, last.stream): 0.9}
    assert target_of(seen.graph, last)(held) == pytest.approx(share_of(seen.graph, last) * 0.9, rel=1e-4)


def test_what_targets_are_made_of_is_watched() -> None:
    seen = seen_of(3, JOINS["average"][0])
    for one in branches(seen):
        needed: list[int] = []

        class Notes(dict[int, float]):
            def get(self, key: int, default: float = 0.0, needed: list[int] = needed) -> float:  # type: ignore[override]
                needed.append(key)
                return default

        target_of(seen.graph, one)(Notes())
        assert needed
        assert set(needed) <= watched(seen.graph)


def test_the_source_of_a_value_is_before_all_factors() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin, self.gain = nn.Linear(8, 8), nn.Parameter(torch.ones(8))

        def forward(self, x: Tensor) -> Tensor:
            return self.lin(x) * self.gain * 0.5 / 3.0

    seen = record(Scaled(), noise(4, 8))
    assert seen.nodes[source_of(seen.graph, seen.outputs[0])].category == "weighted"
    assert source_of(seen.graph, 0) == 0
