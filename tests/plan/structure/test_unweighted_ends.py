from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.nets import noise, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from initium import init_, plan, record
from initium.plan.structure.branch_scale import MAX_BRANCH_RATIO, NORM_FREE_DIVISOR
from initium.plan.structure.growth_degree import degree_of
from initium.plan.structure.unweighted_ends import unweighted_ends
from initium.record import Record

WIDTH, BLOCKS = 64, 6


class Block(nn.Module):
    """What a branch makes of the stream, out of some maps of it."""

    def __init__(self, branch: Callable[..., Tensor], maps: int) -> None:
        super().__init__()
        self.branch, self.maps = branch, nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(maps))

    def forward(self, x: Tensor) -> Tensor:
        return self.branch(x, *self.maps)


class Stack(nn.Module):
    """A stream and what is made of it and a branch, block by block."""

    def __init__(
        self, join: Callable[[Tensor, Tensor], Tensor], *branches: tuple[Callable[..., Tensor], int]
    ):
        super().__init__()
        self.join, self.stem, self.head = join, nn.Linear(16, WIDTH), nn.Linear(WIDTH, 5)
        self.blocks = nn.ModuleList(
            Block(*branches[index % len(branches)]) for index in range(BLOCKS * len(branches))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = self.join(x, block(x))
        return self.head(x)


ADDED = lambda x, f: x + f  # noqa: E731
BLENDED = lambda x, f: x + 0.5 * (f - x)  # noqa: E731
AVERAGED = lambda x, f: 0.5 * x + 0.5 * f  # noqa: E731
RESCALED = lambda x, f: (x + f) / 2**0.5  # noqa: E731

PLAIN = (lambda x, a, b: b(F.relu(a(x))), 2)
BENT = (lambda x, a: F.leaky_relu(a(x), 0.1), 1)
GATED = (lambda x, a, g: a(x) * g(x).sigmoid(), 2)
PRODUCT = (lambda x, a, b: a(x) * b(x), 2)
SQUEEZED = (lambda x, a, g: (y := F.gelu(a(x))) * g(y.mean(0, keepdim=True)), 2)
NORMED = (lambda x, a, g: F.layer_norm(a(x), (WIDTH,)) * g(x).sigmoid(), 2)


def made(join: Callable[[Tensor, Tensor], Tensor], *branches: tuple[Callable[..., Tensor], int]) -> Record:
    """The run of a stack after `init_`, on the samples that it was calibrated on."""
    with seeded():
        model = Stack(join, *branches)
    assert init_(model, noise(6, 16)).verdict == "healthy"  # fewer than 8 samples are not split
    return record(model, noise(6, 16))


def shares(seen: Record) -> list[float]:
    """The second moment of every branch in that of its stream."""
    nodes = seen.graph.nodes
    return [
        nodes[one.end].forward.second / nodes[one.stream].forward.second
        for one in seen.graph.residuals.values()
    ]


@pytest.mark.parametrize("branch", [BENT, GATED, PRODUCT])
def test_branches_that_no_weight_ends_add_their_share(branch: tuple[Callable[..., Tensor], int]) -> None:
    """All three are homogeneous in the weight that is scaled but for rounding: one at degree 1, the product of two."""
    seen = made(ADDED, branch)
    assert len(unweighted_ends(seen, seen.parts)) == BLOCKS
    for share in shares(seen):
        assert share == pytest.approx(1 / (BLOCKS * NORM_FREE_DIVISOR), rel=0.01)


def test_a_branch_that_is_only_nearly_homogeneous_comes_near_its_share() -> None:
    for share in shares(made(ADDED, SQUEEZED)):
        assert 0.3 < share * BLOCKS * NORM_FREE_DIVISOR < 3


def test_ends_are_left_where_a_weight_or_a_norm_has_the_last_word() -> None:
    for branch in (PLAIN, NORMED):
        with seeded():
            seen = record(Stack(ADDED, branch), noise(6, 16))
        assert not unweighted_ends(seen, seen.parts)


def test_ends_are_left_where_features_of_two_kinds_meet() -> None:
    """A projected stream is a map beside another, as in a pyramid: neither is a small change of the other."""

    class Pyramid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 2, 1)
            self.low, self.high = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            fine = F.relu(self.first(x))
            coarse = self.high(F.relu(self.second(fine)))
            return self.low(fine) + F.interpolate(coarse, scale_factor=2.0)

    seen = record(Pyramid(), noise(4, 3, 8, 8))
    assert len(seen.graph.residuals) == 1
    assert not unweighted_ends(seen, seen.parts)


def test_weights_that_are_kept_end_nothing() -> None:
    with seeded():
        model = Stack(ADDED, GATED)
        assert not unweighted_ends(record(model, noise(6, 16)), [])
        model.requires_grad_(False)
        assert all(one.keeps for one in plan(model, noise(6, 16)))


@pytest.mark.parametrize("join", [BLENDED, AVERAGED, RESCALED])
@pytest.mark.parametrize("branch", [PLAIN, BENT])
def test_a_leaking_stream_stays_at_unit_scale(
    join: Callable[[Tensor, Tensor], Tensor], branch: tuple[Callable[..., Tensor], int]
) -> None:
    """Branches that add little would leave 2^-6 or 4^-6 of it after 6 blocks.

    What is blended is taken for independent: of 6 samples and random maps of the stream it nearly is.
    """
    seen = made(join, branch)
    assert len(seen.graph.residuals) == BLOCKS
    last = max(seen.graph.residuals.values(), key=lambda one: one.node)
    assert 0.4 < seen.graph.nodes[last.node].forward.second < 2.5


def test_a_blend_that_forgets_little_is_not_made_up_for_by_huge_branches() -> None:
    assert max(shares(made(lambda x, f: x + 0.01 * (f - x), PLAIN))) <= MAX_BRANCH_RATIO * 1.01


def test_products_stay_weak_in_a_leaking_stream_and_the_others_make_up_for_it() -> None:
    seen = made(BLENDED, PRODUCT, PLAIN)
    found = shares(seen)
    for share in found[::2]:
        assert share == pytest.approx(4 / (2 * BLOCKS * NORM_FREE_DIVISOR), rel=0.01)
    assert min(found[1::2]) > 1


def test_a_stack_of_products_stands_louder_samples() -> None:
    """Of one sample twice as loud, six bilinear branches of unit scale would make 2^64 times as much."""
    with seeded():
        model = Stack(BLENDED, PRODUCT, PLAIN)
    init_(model, noise(6, 16))
    usual = model(noise(64, 16)).square().mean()
    assert model(2 * noise(64, 16)).square().mean() < 10 * usual


def degree(function: Callable[..., Tensor]) -> int:
    """The degree in its first map of a function of the stream and three maps."""
    with seeded():
        seen = record(Stack(ADDED, (function, 3)), noise(6, 16))
    first = seen.parts["blocks.0.maps.0.weight"].nodes[0]
    return degree_of(seen.graph, first, next(iter(seen.graph.residuals.values())).branch)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, a, b, c: F.relu(a(x)) * 3, 1),
        (lambda x, a, b, c: b(F.gelu(a(x))).abs(), 1),
        (lambda x, a, b, c: a(x) * b(x), 1),
        (lambda x, a, b, c: F.silu(y := a(x)) * y, 2),
        (lambda x, a, b, c: (y := a(x)) * b(y) * c(y), 3),
        (lambda x, a, b, c: torch.tanh(a(x)) * b(x), 0),
        (lambda x, a, b, c: b(x) / (1 + a(x).abs()), 0),
        (lambda x, a, b, c: a(x) / (1 + b(x).abs()), 1),
        (lambda x, a, b, c: a(x) + b(F.relu(x)), 0),
        (lambda x, a, b, c: F.layer_norm(a(x), (WIDTH,)) * b(x), 0),
        (lambda x, a, b, c: a(x).softmax(-1) * b(x), 0),
        (lambda x, a, b, c: (b(x) @ c(x).T).softmax(-1) @ a(x), 1),
        (lambda x, a, b, c: F.scaled_dot_product_attention(b(x)[None], c(x)[None], a(x)[None])[0], 1),
        (lambda x, a, b, c: F.scaled_dot_product_attention(a(x)[None], c(x)[None], b(x)[None])[0], 0),
    ],
)
def test_degrees(function: Callable[..., Tensor], expected: int) -> None:
    assert degree(function) == expected


class Mixer(nn.Module):
    """Blocks of two branches: over the positions of a picture, and over the units at each of them."""

    def __init__(self, positions: int, units: int, *, over_positions: bool) -> None:
        super().__init__()
        sides = (positions if over_positions else units, units)
        self.stem, self.head, self.over_positions = nn.Linear(6, units), nn.Linear(units, 5), over_positions
        self.mixers, self.mlps = (
            nn.ModuleList(
                nn.Sequential(nn.Linear(side, 32), nn.GELU(), nn.Linear(32, side)) for _ in range(BLOCKS)
            )
            for side in sides
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for mixer, mlp in zip(self.mixers, self.mlps, strict=True):
            x = x + (mixer(x.transpose(1, 2)).transpose(1, 2) if self.over_positions else mixer(x))
            x = x + mlp(x)
        return self.head(x.mean(1))


@pytest.mark.parametrize("positions", [9, 24])
@pytest.mark.parametrize("over_positions", [True, False])
def test_branches_that_bring_positions_together_are_heard(positions: int, over_positions: bool) -> None:
    """All of them together add as much as the stream held, also where there are as many positions as units."""
    with seeded():
        model = Mixer(positions, 24, over_positions=over_positions)
    init_(model, noise(6, positions, 6))
    found = shares(record(model, noise(6, positions, 6)))
    expected = 1 / (2 * BLOCKS) / (1 if over_positions else NORM_FREE_DIVISOR)
    assert found == [pytest.approx(expected, rel=0.05)] * (2 * BLOCKS)


@pytest.mark.parametrize("size", [0.3, 0.01])
def test_a_degree_that_is_a_bound_never_makes_a_branch_larger(size: float) -> None:
    """y^2 grows at the least with the square of a factor; what is too small stays: it may grow by any higher power."""

    def product(x: Tensor, a: nn.Module) -> Tensor:
        y = a(x)
        return size * y * y

    wanted = 1 / (BLOCKS * NORM_FREE_DIVISOR)
    found = shares(made(ADDED, (product, 1)))
    fits = 3 * size**2 > wanted  # y has unit scale, and E y^4 = 3
    for share in found:
        if fits:
            assert share == pytest.approx(wanted, rel=0.01)
        else:
            assert share == pytest.approx(3 * size**2, rel=0.5)
            assert share < wanted / 10


def test_a_branch_of_degree_one_is_made_larger_too() -> None:
    for share in shares(made(ADDED, (lambda x, a: F.relu(0.01 * a(x)), 1))):
        assert share == pytest.approx(1 / (BLOCKS * NORM_FREE_DIVISOR), rel=0.01)
