from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from initium import plan
from initium.plan.branches import QUIET
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
            2.0 / (4 * QUIET), rel=1e-6
        )  # He, and the share of one of four blocks


def test_isometric_convolutions_get_the_gain_of_their_activation() -> None:
    with torch.device("meta"):
        layers = [part for _ in range(20) for part in (nn.Conv2d(8, 8, 3, padding=1), nn.Tanh())]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 10))
    hidden = plan(model, torch.empty(4, 8, 8, 8, device="meta"))["4.weight"]
    assert hidden.method == "he_normal"
    assert hidden.params["gain"] == pytest.approx(gain("tanh"))
