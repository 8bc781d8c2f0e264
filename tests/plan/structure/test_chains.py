"""Chains by hand: which weights feed one another through pointwise functions alone, and through which functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.nets import Applied, noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.plan.structure.chains import biases_of, chains_of, region_after, settable
from initium.theory.sampled import Sampled


def lin(bias: bool = True) -> nn.Linear:
    return nn.Linear(6, 6, bias=bias)


class Net(nn.Module):
    """A forward as a function of the module's layers."""

    def __init__(self, call: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.call, self.layers = call, nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x, *self.layers)


def names(model: nn.Module, x: Tensor) -> list[list[int]]:
    """Chains, as the numbers of their layers."""
    found = chains_of(record(model, x))
    return [[int(name.split(".")[-2]) for name in chain.names] for chain in found]


ROWS, MAP = noise(8, 6), noise(2, 4, 8, 8)
CASES: dict[str, tuple[nn.Module, Tensor, list[list[int]]]] = {
    "plain": (nn.Sequential(lin(), nn.ReLU(), lin(), nn.Tanh(), lin()), ROWS, [[0, 2, 4]]),
    "one weight is no chain": (nn.Sequential(lin(), nn.ReLU()), ROWS, []),
    "a norm parts": (nn.Sequential(lin(), nn.ReLU(), lin(), nn.LayerNorm(6), lin(), lin(), lin()), ROWS,
                     [[0, 2], [4, 5, 6]]),
    "dropout and numbers do not": (nn.Sequential(lin(), nn.Dropout(0.1), Applied(lambda x: 2 * x + 1), lin()), ROWS,
                                   [[0, 3]]),
    "a function of any operations": (
        nn.Sequential(lin(), Applied(lambda x: torch.where(x > 0, x, x.exp() - 1) * torch.sigmoid(x)), lin()), ROWS,
        [[0, 2]],
    ),
    "a softmax parts": (nn.Sequential(lin(), nn.Softmax(-1), lin(), lin()), ROWS, [[2, 3]]),
    "a skip parts": (Net(lambda x, a, b, c, d: d(a(x) + c(b(a(x)).relu())), *[lin() for _ in range(4)]), ROWS,
                     [[1, 2]]),
    "a fork parts": (Net(lambda x, a, b, c: b(y := a(x).relu()) * c(y), lin(), lin(), lin()), ROWS, []),
    "a product of two parts": (Net(lambda x, a, b, c: c(a(x) * b(x)), lin(), lin(), lin()), ROWS, []),
    "a value that leaves the model parts": (
        Net(lambda x, a, b: (y := a(x), b(y.relu())), lin(), lin()), ROWS, []  # type: ignore[arg-type, return-value]
    ),
    "convolutions, pools and a head": (
        nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(),
                      nn.Linear(6, 3)), MAP, [[0, 3, 6]],
    ),
    "a transposed convolution is none of it": (
        nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3),
                      nn.Conv2d(6, 6, 1)), MAP, [[4, 5]],
    ),
    "groups of even width": (
        nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4)), MAP, [[0, 2]],
    ),
    "depthwise is none of it": (
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8)), MAP, [],
    ),
    "a channel shuffle between groups parts": (
        nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.ReLU(), Applied(lambda x: F.channel_shuffle(x, 2)),
                      nn.Conv2d(8, 8, 3, groups=2)), MAP, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_chains_by_hand(name: str) -> None:
    model, x, expected = CASES[name]
    assert names(model, x) == expected


def test_a_weight_used_twice_is_on_no_chain() -> None:
    shared = lin()
    assert names(Net(lambda x, a, b, c: c(b(a(b(x).relu()).relu())), lin(), shared, lin()), ROWS) == []


def test_functions_and_biases_between_weights_are_those_of_the_run() -> None:
    model = nn.Sequential(lin(), nn.LeakyReLU(0.3), lin(bias=False), Applied(lambda x: x.sin() * 2), lin())
    (chain,) = chains_of(record(model, ROWS))
    assert len(chain) == 3
    assert chain.biases == ("0.bias", "", "4.bias")
    assert len(chain.activations) == 2
    z = torch.linspace(-3, 3, 41, dtype=torch.float64)
    for found, function in zip(
        chain.activations, (lambda v: F.leaky_relu(v, 0.3), lambda v: v.sin() * 2), strict=True
    ):
        torch.testing.assert_close(found(z), function(z), atol=1e-4, rtol=1e-4)


def test_one_function_is_one_object_for_theory() -> None:
    """So that what is found for it is found once."""
    model = nn.Sequential(*(one for _ in range(4) for one in (lin(), nn.Tanh())), lin())
    (chain,) = chains_of(record(model, ROWS))
    assert len(chain.activations) == 4
    assert {id(one) for one in chain.activations} == {id(chain.activations[0])}
    assert isinstance(chain.activations[0], Sampled)


def test_parts_are_the_common_groups_of_two_weights() -> None:
    """Units of 4 and 6 groups of 12 channels meet only within no group at all: lcm(2, 3) = 6 parts."""
    model = nn.Sequential(nn.Conv2d(4, 12, 1, groups=2), nn.ReLU(), nn.Conv2d(12, 12, 1, groups=3), nn.ReLU(),
                          nn.Conv2d(12, 6, 1))  # fmt: skip
    (chain,) = chains_of(record(model, MAP))
    assert chain.parts == (6, 3)


def test_biases_by_the_operation_that_adds_them() -> None:
    seen = record(nn.Sequential(lin(), nn.ReLU(), lin(bias=False), nn.LayerNorm(6)), ROWS)
    assert biases_of(seen) == {seen.parts["0.weight"].nodes[0]: "0.bias"}


def test_the_region_of_a_weight_ends_at_what_takes_it() -> None:
    model = Net(lambda x, a, b, c: b(a(x).relu().tanh()) * c(a(x).abs()), lin(), lin(), lin())
    seen = record(nn.Sequential(lin(), nn.ReLU(), nn.Tanh(), lin(), nn.Flatten()), ROWS)
    inside, outside = region_after(seen, 1) or (set(), set())
    assert [seen.nodes[i].op.removeprefix("aten.") for i in sorted(inside)] == ["addmm", "relu", "tanh"]
    assert [seen.nodes[i].category for i in outside] == ["weighted"]
    assert region_after(seen, max(outside)) is None  # its output leaves the model
    assert record(model, ROWS).nodes


@pytest.mark.parametrize("protect", ["frozen", "tied", "parametrized", "loaded"])
def test_what_is_not_the_plans_to_set(protect: str) -> None:
    model: Any = nn.Sequential(lin(), nn.ReLU(), lin())
    if protect == "frozen":
        model[0].weight.requires_grad_(False)
    elif protect == "tied":
        model[2].weight = model[0].weight
    elif protect == "parametrized":
        nn.utils.parametrizations.weight_norm(model[0])
    else:
        model[0].weight._is_hf_initialized = True
    seen = record(model, ROWS)
    name = next(
        info.name for info in seen.parameters if info.name.startswith("0.") and "bias" not in info.name
    )
    assert list(settable(seen, (name, "0.bias", "2.bias"))) == [False, True, True]
