"""Recipes of vision transformers, against timm's own modes and their numbers by hand."""

from __future__ import annotations

import math

import pytest
import torch
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started, unlike
from timm.models.vision_transformer import VisionTransformer

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
MODES = {"timm_vit": "", "vit_jax": "jax", "vit_jax_nlhb": "jax_nlhb", "vit_moco": "moco"}
WIDTH = 64


def vit(mode):
    return VisionTransformer(
        img_size=32, patch_size=8, embed_dim=WIDTH, depth=2, num_heads=4, num_classes=50, weight_init=mode
    )


@pytest.mark.parametrize("recipe", MODES)
def test_it_is_timms_own_start(recipe):
    model = vit(MODES[recipe])
    found = started(model, X, recipe)
    assert dict(model.named_parameters()).keys() == found.keys()
    assert unlike(found, dict(model.named_parameters())) == []


def xavier(num_in, num_out):
    return math.sqrt(6 / (num_in + num_out))


def test_the_numbers_of_each():
    plain = started(vit(""), X, "timm_vit")
    assert all(is_normal(one, 0.02) for name, one in plain.items() if "blocks" in name and one.dim() == 2)
    assert is_normal(plain["pos_embed"], 0.02)
    assert is_normal(plain["cls_token"] / 1e-6, 1.0)
    jax, moco, nlhb = (started(vit(MODES[one]), X, one) for one in ("vit_jax", "vit_moco", "vit_jax_nlhb"))
    assert is_uniform(jax["blocks.0.attn.qkv.weight"], xavier(WIDTH, 3 * WIDTH))  # one matrix
    assert is_uniform(moco["blocks.0.attn.qkv.weight"], xavier(WIDTH, WIDTH))  # three of them
    assert is_uniform(jax["blocks.0.mlp.fc1.weight"], xavier(WIDTH, 4 * WIDTH))
    assert is_normal(jax["blocks.0.mlp.fc1.bias"] / 1e-6, 1.0)
    assert is_all(jax["head.weight"], 0)
    assert is_all(jax["head.bias"], 0)
    assert is_all(nlhb["head.bias"], -math.log(50))
    assert is_uniform(moco["patch_embed.proj.weight"], 1 / math.sqrt(3 * 64))
    fan = 3 * 64
    cut = jax["patch_embed.proj.weight"]
    assert cut.std().item() == pytest.approx(fan**-0.5, rel=5 * math.sqrt(1.4 / (4 * cut.numel())))
    assert cut.abs().max().item() <= 2 * fan**-0.5 / 0.87962566 * (1 + 1e-6)
