"""The degree against measurement: a factor of 2 or 8 on the one value, and the power by which the other grows."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import noise, seeded
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.plan.structure.growth_degree import degree_of


class From(nn.Module):
    """A first map without bias, multiplied by `factor`, and a function of its output and of two other maps."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function, self.first = function, nn.Linear(8, 8, bias=False)
        self.others = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.first(x), *(other(x) for other in self.others))


EXACT: dict[str, tuple[Callable[..., Tensor], int]] = {
    "itself": (lambda a, b, c: a, 1),
    "a number": (lambda a, b, c: a * 3.0, 1),
    "relu": (lambda a, b, c: F.relu(a), 1),
    "a square": (lambda a, b, c: a * a, 2),
    "a cube": (lambda a, b, c: a * F.relu(a) * a.abs(), 3),
    "times another": (lambda a, b, c: a * b, 1),
    "over another": (lambda a, b, c: a / (b.abs() + 1), 1),
    "a product of two": (lambda a, b, c: a @ F.relu(a).T @ b, 2),
    "a pool": (lambda a, b, c: a.view(-1, 1, 8).mean(1), 1),
    "cat of itself": (lambda a, b, c: torch.cat([a, 2 * a], 1), 1),
    "a sum of degrees 1 and 1": (lambda a, b, c: F.relu(a) + a * b, 1),
    "attention among values": (
        lambda a, b, c: F.scaled_dot_product_attention(b[None, None], c[None, None], a[None, None])[0, 0],
        1,
    ),
    "nothing of it": (lambda a, b, c: b * c, 0),
    "over itself": (lambda a, b, c: b / (a.abs() + 1), 0),
    "a norm": (lambda a, b, c: F.layer_norm(a, (8,)) * b, 0),
}


def grown(function: Callable[..., Tensor], factor: float) -> float:
    """The power of a factor on the first map by which the output's root mean square grows."""
    with seeded():
        model = From(function)
    x = noise(16, 8)
    with torch.no_grad():
        plain = model(x).square().mean().sqrt()
        model.first.weight.mul_(factor)
        return float((model(x).square().mean().sqrt() / plain).log()) / math.log(factor)


def found(function: Callable[..., Tensor]) -> int:
    with seeded():
        seen = record(From(function), noise(16, 8))
    first = seen.parts["first.weight"].nodes[0]
    return degree_of(seen.graph, first, seen.outputs[0])


@pytest.mark.parametrize("name", EXACT)
def test_the_degree_is_the_power_by_which_a_value_grows(name: str) -> None:
    function, expected = EXACT[name]
    assert found(function) == expected
    if expected:
        assert grown(function, 8.0) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "hardswish", "elu", "celu"])
def test_what_grows_nearly_in_proportion_has_degree_one(name: str) -> None:
    """It is in proportion where the value is large: from 64 times to 512 times its size."""
    function = getattr(F, name)
    assert found(lambda a, b, c: function(a)) == 1
    assert grown(lambda a, b, c: function(64.0 * a), 8.0) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("function", [torch.tanh, torch.sigmoid, torch.sin, F.softplus, torch.exp])
def test_other_activations_promise_nothing(function: Callable[[Tensor], Tensor]) -> None:
    assert found(lambda a, b, c: function(a) * b) == 0


def test_the_least_of_several_ways_counts() -> None:
    """A sum grows at the least as the part that grows least: here a constant."""
    assert found(lambda a, b, c: a * a + a) == 1
    assert found(lambda a, b, c: a + b) == 0
    assert found(lambda a, b, c: torch.cat([a, b], 1)) == 0
