"""Recipes for any model: torch's own start, and table 3 of maximal update parametrization."""

from __future__ import annotations

import math

import torch
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started, unlike
from torch import nn

X = torch.randn(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))


def layers():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 32, 5, groups=32), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, 2), nn.Flatten(), nn.Linear(16 * 14 * 14, 40), nn.LayerNorm(40),
        nn.Linear(40, 30),
    )  # fmt: skip


def test_it_is_torchs_own_start():
    model = layers()
    found = started(model, X, "torch_default")
    assert found.keys() == dict(model.named_parameters()).keys()
    assert unlike(found, dict(model.named_parameters())) == []
    fans = {
        "0": 27,
        "3": 25,
        "5": 16 * 16,
        "7": 16 * 14 * 14,
        "9": 40,
    }  # of a transposed one torch takes the outputs
    for name, fan in fans.items():
        assert is_uniform(found[f"{name}.weight"], fan**-0.5), name
        assert is_uniform(found[f"{name}.bias"], fan**-0.5), name


def test_maximal_update_parametrization_follows_its_table():
    """Input and hidden N(0, 1 / fan_in), output N(0, 256 / fan_in^2) for a base width of 256; tables N(0, 1)."""
    model = nn.Sequential(
        nn.Embedding(50, 40), nn.Flatten(), nn.Linear(120, 300), nn.ReLU(), nn.Linear(300, 20)
    )
    found = started(model, torch.randint(50, (8, 3)), "mup")
    assert is_normal(found["0.weight"], 1.0)
    assert is_normal(found["2.weight"], 120**-0.5)
    assert is_normal(found["4.weight"], math.sqrt(256) / 300)
    assert is_all(found["2.bias"], 0)
    plain = started(nn.Sequential(nn.Linear(50, 80), nn.Tanh(), nn.Linear(80, 5)), torch.randn(8, 50), "mup")
    assert is_normal(plain["0.weight"], 50**-0.5)
    assert is_normal(plain["2.weight"], 16 / 80)
