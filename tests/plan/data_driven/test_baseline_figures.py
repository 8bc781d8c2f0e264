"""What the scales are found on: the draws, their names and which of them may be scaled."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import noise
from torch import nn

from initium import Rule, plan
from initium.methods.catalogue import find
from initium.plan.data_driven.baseline import baseline_of
from initium.plan.policy import Run
from initium.record import record


def net():
    model = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 4))
    model[1].weight.requires_grad_(False)
    return model


TOKENS = torch.randint(20, (16, 3), generator=torch.Generator().manual_seed(0))


def made(base="he_normal"):
    model = net()
    seen = record(model, TOKENS)
    method = find("lsuv")
    return baseline_of(method, method.resolve(), base, seen, Run(model, TOKENS, TOKENS, TOKENS))


def test_matrices_are_drawn_biases_zero_and_the_rest_is_kept():
    found = {one.name: (one.method if not one.keeps else "kept") for one in made("orthogonal").assignments}
    assert found == {
        "0.weight": "kept", "1.weight": "kept", "1.bias": "zeros", "3.weight": "kept", "3.bias": "kept",
        "4.weight": "orthogonal", "4.bias": "zeros",
    }  # fmt: skip
    drawn = next(one for one in made().assignments if one.name == "4.weight")
    assert drawn.rule == made().rule == "policy lsuv"
    assert "Mishkin" in drawn.source


def test_only_drawn_matrices_are_tuned_and_their_scales_multiplied():
    one = made()
    assert one.tuned == ("4.weight",)
    once = replace(one, assignments=one.scaled({"4.weight": 1.5}))
    twice = {a.name: a.scale for a in once.scaled({"4.weight": 2.0})}
    assert twice["4.weight"] == pytest.approx(3.0)
    assert {scale for name, scale in twice.items() if name != "4.weight"} == {1.0}


def test_what_is_drawn_as_zeros_has_no_scale_to_find():
    assert made("zeros").tuned == ()


def test_rules_of_the_user_are_not_scaled():
    """LSUV brings the output of the drawn layer to deviation 1, and leaves the ruled one as the rule says."""
    model, x = nn.Sequential(nn.Linear(30, 40), nn.Tanh(), nn.Linear(40, 20)), noise(200, 30)
    done = plan(model, x, policy="lsuv", rules=[Rule(where="0.weight", method="normal", std=0.02)])
    done.apply(model, seed=done.seed)
    assert done["0.weight"].scale == 1.0
    assert model[0].weight.std().item() == pytest.approx(0.02, rel=5 / (2 * 1200) ** 0.5)
    assert model(x).std().item() == pytest.approx(1, abs=0.1)
