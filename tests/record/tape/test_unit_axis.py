from __future__ import annotations

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn

from initium.record import record
from initium.record.tape.unit_axis import dead_share


def channels(x: Tensor, axis: int) -> tuple[int, int]:
    return x.shape[axis], x.stride(axis)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((8, 16, 40, 40), 1),
        ((2, 16, 7, 7), 1),
        ((4, 50, 16), 2),
        ((300, 16), 1),
        ((4, 16, 300), 1),
        ((2, 16, 4, 20, 20), 1),
    ],
)
@pytest.mark.parametrize("num_dead", [0, 5, 16])
def test_dead_units_are_counted(shape: tuple[int, ...], axis: int, num_dead: int) -> None:
    x = noise(*shape).abs()
    x.movedim(axis, 0)[:num_dead] = 0
    assert dead_share(x, channels(x, axis)) == pytest.approx(num_dead / 16)


def test_channels_last() -> None:
    x = noise(4, 16, 40, 40).abs()
    x[:, 3] = 0
    x = x.contiguous(memory_format=torch.channels_last)
    assert dead_share(x, channels(x, 1)) == pytest.approx(1 / 16)


def test_tiny_values_are_alive() -> None:
    x = torch.full((32, 8), 1e-30)
    assert dead_share(x, (8, 1)) == 0.0


def test_unknown_units_are_not_judged() -> None:
    x = noise(4, 8)
    assert dead_share(x, None) is None
    assert dead_share(x, (7, 1)) is None
    assert dead_share(torch.empty(0, 8), (8, 1)) is None


def test_units_are_followed_through_norms_and_activations() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(12 * 9, 5),
    )
    seen = record(model, noise(4, 3, 8, 8))
    assert [node.units for node in seen.nodes[1:4]] == [12, 12, 12]
    assert seen.nodes[-1].units == 5
    assert seen.nodes[3].dead == 0.0


class Holding(nn.Module):
    """A linear map of the input, times its own transpose."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.weight
        return y @ y.transpose(1, 2)


def test_units_are_followed_through_copies_and_changes_of_layout() -> None:
    """Also where another axis has the size and the stride that the units had before."""

    class Moved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm, self.end = nn.Conv2d(3, 8, 1), nn.LayerNorm(8), nn.Linear(8, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.stem(x).permute(0, 2, 3, 1)).contiguous()
            return self.end(x)

    seen = record(Moved(), noise(2, 3, 8, 8))
    assert not seen.nodes[-1].mixes
    x = nn.Parameter(noise(8, 8))
    products = record(Holding(x), noise(2, 8, 8))
    assert [node.units for node in products.nodes] == [0, 8, 0]


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(8), nn.GroupNorm(2, 8)])
def test_units_after_a_norm_of_what_has_none(norm: nn.Module) -> None:
    seen = record(nn.Sequential(nn.MaxPool2d(2), norm), noise(2, 8, 6, 6))
    assert seen.nodes[-1].units == 8
