"""Recipes of language models, by the published spreads of each weight."""

from __future__ import annotations

import math

import pytest
import torch
from benchmarks.recipe_nets import Gated
from scipy import stats
from tests.plan.recipes.library.moments import is_all, is_normal, started

TOKENS = torch.randint(300, (2, 16), generator=torch.Generator().manual_seed(0))
LAYERS, WIDTH = 3, 64


def gated():
    return Gated(WIDTH, LAYERS)


@pytest.mark.parametrize("recipe", ["gpt2", "megatron"])
def test_what_writes_to_the_stream_is_smaller_by_the_root_of_its_branches(recipe):
    found = started(gated(), TOKENS, recipe)
    for name, one in found.items():
        if one.dim() == 1:
            assert is_all(one, 1)
        else:
            assert is_normal(
                one, 0.02 / math.sqrt(2 * LAYERS) if "out" in name or "fall" in name else 0.02
            ), name
    assert found.keys() == dict(gated().named_parameters()).keys()


def test_olmo_is_cut_at_three_sigma_and_shrinks_with_the_layer():
    """mitchell: 1 / sqrt(fan_in), and 1 / sqrt(2 fan_in (l + 1)) for what writes; a cut normal is .9866 as wide."""
    drawn = started(gated(), TOKENS, "olmo")
    narrower = stats.truncnorm(-3, 3).std()
    error = math.sqrt((stats.truncnorm(-3, 3).stats("k") + 2) / 4)
    for name, one in drawn.items():
        if one.dim() == 1 or name.startswith("table"):
            continue
        fan, layer = one.shape[1], int(place) if (place := name.split(".")[1]).isdigit() else 0
        std = 1 / math.sqrt(2 * fan * (layer + 1)) if "out" in name or "fall" in name else fan**-0.5
        assert one.abs().max().item() <= 3 * std * (1 + 1e-6), name
        assert one.std().item() / (std * narrower) == pytest.approx(
            1, abs=5 * error / math.sqrt(one.numel())
        ), name
    assert is_normal(drawn["table.weight"], WIDTH**-0.5)
