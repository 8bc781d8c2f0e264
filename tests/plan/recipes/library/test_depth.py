"""Recipes of deep residual models, by the published factors of depth."""

from __future__ import annotations

import math

import torch
from benchmarks.recipe_nets import FixupNet, PostNorm, Unnormed
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started

LAYERS, WIDTH = 3, 64


def xavier(one, gain=1.0):
    return gain * math.sqrt(6 / sum(one.shape))


def test_fixup_divides_by_the_root_of_the_blocks():
    """He over fan_out times L^(-1 / (2 m - 2)): 6 blocks of m = 2 weights, 6^(-1/2); the last of a branch and fc 0."""
    found = started(FixupNet(16, 2), torch.randn(2, 3, 16, 16), "fixup")
    for name, one in found.items():
        if name.endswith("conv2.weight") or name.startswith("fc"):
            assert is_all(one, 0), name
        elif name.endswith("scale"):
            assert is_all(one, 1), name
        elif one.dim() == 4:
            he = math.sqrt(2 / (one.shape[0] * one.shape[2] * one.shape[3]))
            assert is_normal(one, he * (6**-0.5 if "conv1" in name else 1.0)), name
        else:
            assert is_all(one, 0), name
    assert found.keys() == dict(FixupNet(16, 2).named_parameters()).keys()


def test_deepnorm_scales_all_but_queries_and_keys():
    """Figure 2: beta = (8 N)^(-1/4)."""
    found = started(PostNorm(WIDTH, LAYERS), torch.randn(2, 16, WIDTH), "deepnorm")
    for name, one in found.items():
        if one.dim() == 2:
            plain = name.endswith(("inner.0.weight", "inner.1.weight"))
            bound = xavier(one, 1.0 if plain else (8 * LAYERS) ** -0.25)
            assert is_uniform(one, bound) or is_normal(one, bound / 3**0.5), name
    assert all(is_all(one, 0) for name, one in found.items() if name.endswith("bias"))


def test_t_fixup_scales_tables_and_branches():
    """d^(-1/2) (9 N)^(-1/4) for the table, .67 N^(-1/4) times Xavier for values, outputs and the perceptron."""
    found = started(Unnormed(WIDTH, LAYERS), torch.randint(200, (2, 16)), "t_fixup")
    assert is_normal(found["table.weight"], WIDTH**-0.5 * (9 * LAYERS) ** -0.25)
    for name, one in found.items():
        if one.dim() == 2 and not name.startswith("table"):
            plain = name.endswith(("inner.0.weight", "inner.1.weight"))
            assert is_uniform(one, xavier(one, 1.0 if plain else 0.67 * LAYERS**-0.25)), name
