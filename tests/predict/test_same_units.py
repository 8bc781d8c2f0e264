"""Two operands of one value: the same units, others, or not to be told; against the numbers of the units."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.nets import Applied, noise
from torch import Tensor, nn

from initium import record
from initium.predict.same_units import reads_apart

CASES: dict[str, tuple[Callable[[Tensor], Tensor], bool | None]] = {
    "the whole, twice": (lambda y: y * torch.sigmoid(y), False),
    "halves": (lambda y: y[:, :4] * y[:, 4:], True),
    "halves, one bent": (lambda y: y[:, :4].tanh() * y[:, 4:], True),
    "halves of a function of the whole": (lambda y: (z := y.tanh())[:, :4] * z[:, 4:], True),
    "one half, twice": (lambda y: y[:, :4].tanh() * y[:, :4], False),
    "neighbours": (lambda y: y[:, :-1] * y[:, 1:], True),
    "every other unit": (lambda y: y[:, ::2] * y[:, 1::2], True),
    "other samples": (lambda y: y[:2] * y[2:], None),
    "a half and another's shape": (lambda y: y[:, :1] * y[:, 4:], None),
    "a part of it, transposed": (lambda y: y[:4, :4] * y[:4, :4].mT, None),
    "a number": (lambda y: y * 2.0, False),
}


@pytest.mark.parametrize("name", CASES)
def test_which_units_two_operands_read(name: str) -> None:
    cut, expected = CASES[name]
    seen = record(nn.Sequential(nn.Linear(6, 8), Applied(cut)), noise(4, 6))
    node = next(node for node in reversed(seen.nodes) if node.op == "aten.mul")
    assert reads_apart(seen, node) is expected


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (lambda y: y[:, :4] * y[:, 4:], True),  # channels
        (lambda y: y[..., :3] * y[..., 3:], None),  # places of one map, which share their weights
        (lambda y: y[:, :, 1:] * y[:, :, :-1], None),
    ],
)
def test_channels_of_a_map_are_told_from_its_places(
    cut: Callable[[Tensor], Tensor], expected: bool | None
) -> None:
    seen = record(nn.Sequential(nn.Conv2d(3, 8, 3), Applied(cut)), noise(2, 3, 8, 8))
    assert reads_apart(seen, seen.nodes[-1]) is expected
