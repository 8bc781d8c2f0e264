from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium import diagnose, plan
from initium.plan.structure.branch_scale import NORM_FREE_DIVISOR
from initium.theory.gains import gain


class Blocks(nn.Module):
    def __init__(self, num: int = 4) -> None:
        super().__init__()
        self.stem = nn.Linear(16, 16)
        self.ends = nn.ModuleList(nn.Linear(16, 16) for _ in range(num))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for end in self.ends:
            x = x + end(F.relu(x))
        return x


def test_branches_start_as_weak_as_calibrated_ones() -> None:
    with torch.device("meta"):
        model = Blocks()
    made = plan(model, torch.empty(8, 16, device="meta"))
    for place in range(4):
        std = made[f"ends.{place}.weight"].draw().std  # type: ignore[attr-defined]
        assert std**2 * 16 == pytest.approx(
            2.0 / (4 * NORM_FREE_DIVISOR), rel=1e-6
        )  # He, and the share of one of four blocks


def test_chains_keep_their_geometry_and_are_scaled_by_theory() -> None:
    """As calibration would: the activation is sampled, and every output brought to the chain's own q."""
    with torch.device("meta"):
        layers = [part for _ in range(20) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.Tanh())]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 10))
    made = plan(model, torch.empty(4, 8, 8, 8, device="meta"))
    hidden = made["4.weight"]
    assert hidden.method == "conv_orthogonal"
    assert "by theory" in hidden.reason
    assert [one.second for one in made.predicted[:-1]] == pytest.approx([hidden.target] * 20, rel=0.02)


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return first * torch.sigmoid(second)


class Two(nn.Module):
    """A gated unit of two weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.line, self.gate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.line(x) * nn.functional.silu(self.gate(x))


def chain(act: Callable[[], nn.Module], depth: int, wide: int = 1) -> nn.Sequential:
    layers = [part for _ in range(depth) for part in (nn.Linear(48, wide * 48), act())]
    return nn.Sequential(*layers, nn.Linear(48, 10))


@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(nn.Sigmoid, 40),
        lambda: chain(nn.Tanh, 80),
        lambda: chain(nn.ReLU, 40),
        lambda: chain(Gate, 12, 2),
        lambda: chain(lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.2)), 12),
        lambda: Blocks(12),
        lambda: nn.Sequential(*[Two(48) for _ in range(12)], nn.Linear(48, 10)),
    ],
)
def test_models_are_healthy_though_nothing_was_measured(make: Callable[[], nn.Module]) -> None:
    """Each but the last three was unhealthy as long as a weight got the gain of the activation before it."""
    with torch.device("meta"):
        empty = make()
    width = next(iter(empty.parameters())).shape[1]
    made = plan(empty, torch.empty(8, width, device="meta"))
    model = made.materialize(empty)
    assert diagnose(model, noise(32, width)).verdict == "healthy"


def test_a_weight_without_signal_gets_the_gain_of_its_activation() -> None:
    class Muted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.inner(torch.relu(0.0 * x))

    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(16, 16), Muted(), nn.Linear(16, 4))
    made = plan(model, torch.empty(4, 16, device="meta"))
    assert made["1.inner.weight"].params["gain"] == pytest.approx(gain("relu") / NORM_FREE_DIVISOR**0.5)
