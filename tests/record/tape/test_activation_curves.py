from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium.record import Record, record
from initium.record.tape.activation_curves import CHANNELS, GRID, _apply


class Between(nn.Module):
    """Two weights and what is done between them."""

    def __init__(self, function: nn.Module | object) -> None:
        super().__init__()
        self.first, self.second, self.function = nn.Linear(8, 8), nn.Linear(8, 3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.function(self.first(x)))  # type: ignore[operator]


def curve_of(function: object) -> Tensor | None:
    """What the record says that the second weight receives, of the first one's output."""
    seen: Record = record(Between(function), torch.randn(16, 8))
    first, second = (use.node for use in seen.sites)
    found = seen.curves.get(seen.graph.nodes[second].inputs[0])
    if found is None:
        return None
    assert found.origin == first
    return found.values


WRITTEN = {
    "relu": torch.relu,
    "relu in place": lambda z: z.relu_(),
    "leaky": lambda z: F.leaky_relu(z, 0.3),
    "hardswish": F.hardswish,
    "log sigmoid": F.logsigmoid,
    "self gated": lambda z: z * torch.sigmoid(1.7 * z),
    "where": lambda z: torch.where(z > 0, z, 0.1 * z.exp() - 0.1),
    "softsign": lambda z: z / (1 + z.abs()),
    "masked": lambda z: z.masked_fill(z < -1, -1.0),
    "squared": lambda z: torch.clamp(z, min=0) ** 2,
    "shifted": lambda z: torch.tanh(z + 0.5) - torch.tensor(0.25),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_any_pointwise_composition_is_seen(name):
    function = WRITTEN[name]
    found = curve_of(function)
    assert found is not None
    torch.testing.assert_close(found, function(GRID.clone()).double())


def test_learned_slopes_are_seen():
    prelu = nn.PReLU(8, init=0.2)
    torch.testing.assert_close(curve_of(prelu), torch.where(GRID > 0, GRID, 0.2 * GRID), rtol=1e-6, atol=1e-6)
    slope = nn.Parameter(torch.tensor(1.5))
    function = lambda z: z * torch.sigmoid(slope * z)  # noqa: E731
    torch.testing.assert_close(curve_of(function), GRID * torch.sigmoid(1.5 * GRID))


def test_curves_begin_anew_at_norms():
    net = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.ReLU6(), nn.Linear(8, 3))
    seen = record(net, torch.randn(16, 8))
    found = seen.curves[seen.graph.nodes[seen.sites[1].node].inputs[0]]
    assert seen.graph.nodes[found.origin].category == "norm"
    torch.testing.assert_close(found.values, F.relu6(GRID))


def test_what_is_not_pointwise_in_one_value_has_no_curve():
    noise = torch.randn(16, 8)
    mixing = (
        lambda z: torch.softmax(z, 1),
        lambda z: z * noise,  # another factor for every sample
        lambda z: z.cumsum(1),
        lambda z: torch.cat([z[:, :4] * z[:, 4:], z[:, 4:]], 1),  # two windows of one value
    )
    assert [curve_of(function) for function in mixing] == [None] * len(mixing)


def test_pools_and_copies_keep_the_curve_and_equal_activations_share_one():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)
    )
    seen = record(net, torch.randn(4, 3, 12, 12))
    received = [seen.curves[seen.graph.nodes[use.node].inputs[0]] for use in seen.sites[1:]]
    assert received[0].values is received[1].values
    torch.testing.assert_close(received[0].values, torch.relu(GRID))


def test_the_grid_leaves_the_run_as_it_was():
    net = Between(nn.PReLU(8))
    x = torch.randn(16, 8)
    before = {name: p.clone() for name, p in net.named_parameters()}
    expected = net(x)
    grid = GRID.clone()
    record(net, x)
    torch.testing.assert_close(net(x), expected, rtol=0, atol=0)
    assert all(torch.equal(p, before[name]) for name, p in net.named_parameters())
    assert torch.equal(GRID, grid)


def test_a_large_table_is_looked_at_in_few_places():
    table = torch.linspace(-1.0, 1.0, 5000 * 8)[torch.randperm(5000 * 8)].reshape(1, 5000, 8)
    seen: list[int] = []

    def shifted(grid: Tensor, other: Tensor) -> Tensor:
        seen.append(grid.numel())
        return grid + other

    data = torch.randn(2, 5000, 8)
    values = _apply(shifted, (data, table), {}, {id(data): GRID})
    assert values is not None
    places = seen[0] // GRID.numel()
    assert len(seen) == 1
    assert CHANNELS / 2 <= places <= CHANNELS
    # The mean of so many shuffled values between -1 and 1, at 5 standard errors.
    assert float((values - GRID).abs().max()) < 5 * (3 * places) ** -0.5


def test_a_function_of_two_outputs_has_no_curve_and_one_of_the_same_has():
    class Sum(nn.Module):
        def __init__(self, apart):
            super().__init__()
            self.a, self.b, self.c, self.apart = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2), apart

        def forward(self, x):
            one = self.a(x)
            other = self.b(x) if self.apart else one
            return self.c(torch.tanh(one) + torch.relu(other))

    for apart in (True, False):
        seen = record(Sum(apart), torch.randn(8, 4))
        (added,) = (node.index for node in seen.nodes if node.category == "add")
        assert (added in seen.curves) == (not apart)
    torch.testing.assert_close(seen.curves[added].values, torch.tanh(GRID) + torch.relu(GRID))
