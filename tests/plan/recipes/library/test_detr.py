"""Recipes of detection transformers, against torch.nn.Transformer and the published star of offsets."""

from __future__ import annotations

import math

import torch
from benchmarks.recipe_nets import SmallDetr
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started, unlike
from torch import nn
from torch.nn import functional as F

HEADS, POINTS, WIDTH, SIDE = 4, 3, 32, 6


def test_the_transformer_is_torchs():
    model = SmallDetr()
    found = started(model, torch.randn(2, 3, 64, 64), "detr")
    reference = dict(model.named_parameters())
    assert found.keys() == {name for name in reference if not name.startswith("projection")}
    assert unlike(found, reference) == []
    assert is_uniform(
        found["transformer.encoder.layers.0.self_attn.in_proj_weight"], math.sqrt(6 / (64 + 192))
    )
    assert is_normal(found["queries.weight"], 1.0)


class Deformable(nn.Module):
    """Deformable self-attention on one map, as the published code samples it, with a residual stream."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(3, WIDTH)
        self.offsets = nn.Linear(WIDTH, HEADS * POINTS * 2)
        self.mixing = nn.Linear(WIDTH, HEADS * POINTS)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        batch, places = len(x), SIDE * SIDE
        x = self.stem(x)
        value = self.value(x).transpose(1, 2).reshape(batch * HEADS, WIDTH // HEADS, SIDE, SIDE)
        offsets = self.offsets(x).view(batch, places, HEADS, POINTS, 2)
        weights = self.mixing(x).view(batch, places, HEADS, POINTS).softmax(-1)
        centres = (torch.arange(SIDE) + 0.5) / SIDE
        here = torch.cartesian_prod(centres, centres)[None, :, None, None]
        grids = (2 * (here + offsets / SIDE) - 1).transpose(1, 2).flatten(0, 1)
        taken = F.grid_sample(value, grids, align_corners=False)
        weights = weights.transpose(1, 2).reshape(batch * HEADS, 1, places, POINTS)
        mixed = (taken * weights).sum(-1).view(batch, WIDTH, places).transpose(1, 2)
        return self.head(x + self.out(mixed))


def test_offsets_start_as_a_star_of_directions():
    """Deformable-DETR, _reset_parameters: head h looks along 2 pi h / H, scaled to a square, point p at p + 1."""
    found = started(Deformable(), torch.randn(2, SIDE * SIDE, 3), "deformable_attention")
    assert found.keys() == {
        f"{a}.{b}" for a in ("offsets", "mixing", "value", "out") for b in ("weight", "bias")
    }
    angles = torch.arange(HEADS) * (2 * math.pi / HEADS)
    star = torch.stack([angles.cos(), angles.sin()], -1)
    star = (star / star.abs().max(-1, keepdim=True)[0]).view(HEADS, 1, 2).repeat(1, POINTS, 1)
    star = star * torch.arange(1, POINTS + 1).view(1, POINTS, 1)
    assert torch.allclose(found["offsets.bias"], star.flatten(), atol=1e-5)
    assert all(
        is_all(found[name], 0) for name in ("offsets.weight", "mixing.weight", "mixing.bias", "value.bias")
    )
    for name in ("value", "out"):
        assert is_uniform(found[f"{name}.weight"], math.sqrt(6 / (2 * WIDTH)))
