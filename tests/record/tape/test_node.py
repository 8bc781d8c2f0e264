from __future__ import annotations

import pytest
import torch
from tests.nets import Applied, noise
from torch import Tensor, nn

from initium.record import record
from initium.record.tape.node import View


@pytest.mark.parametrize(
    ("shape", "expanded"), [((4, 1), (4, 5)), ((1, 3, 1), (2, 3, 7)), ((6,), (6,)), ((), ())]
)
def test_what_a_window_repeats_is_counted_once(shape: tuple[int, ...], expanded: tuple[int, ...]) -> None:
    """`numel` is that of the operand, `distinct` the number of places in memory that it reads."""
    base = torch.arange(float(max(torch.Size(shape).numel(), 1))).reshape(shape)
    seen = base.expand(expanded)
    view = View(0, tuple(seen.shape), seen.stride(), 0)
    assert view.numel == seen.numel()
    assert view.distinct == len(seen.unique())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (torch.rsqrt, [True]),
        (torch.reciprocal, [True]),
        (lambda x: x**-0.5, [True]),
        (lambda x: x**-1, [True]),
        (lambda x: x**2, [False]),
        (torch.sqrt, [False]),
        (lambda x: 1 / torch.sqrt(x), [False, True]),  # a root and its reciprocal
    ],
)
def test_reciprocals_are_known(function: object, expected: list[bool]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return function(x * self.scale)  # type: ignore[operator]

    nodes = record(Net(), noise(4, 3).abs() + 1).nodes
    assert [node.inverts for node in nodes if node.category == "activation"] == expected


def test_a_node_tells_the_numbers_among_its_arguments() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU(0.25), Applied(lambda x: x * 0.5))
    seen = record(net, noise(4, 3))
    assert [node.scalars for node in seen.nodes if node.category in ("activation", "mul")] == [
        (0.25,),
        (0.5,),
    ]
    assert [node.dtype for node in seen.nodes] == ["float32"] * 4


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.LayerNorm(4, eps=1e-3), 1e-3),
        (nn.BatchNorm1d(4, eps=1e-7), 1e-7),
        (nn.GroupNorm(2, 4, eps=1e-4), 1e-4),
        (nn.LayerNorm(4, eps=0.0), None),
        (nn.LeakyReLU(0.01), None),
    ],
)
def test_the_epsilon_of_a_norm(layer: nn.Module, expected: float | None) -> None:
    nodes = record(nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 4)), noise(8, 4)).nodes
    assert nodes[2].epsilon == (None if expected is None else pytest.approx(expected))
    assert [node.epsilon for node in nodes if node.index != 2] == [None, None, None]
