from __future__ import annotations

from dataclasses import replace

import pytest
from tests.nets import noise
from torch import nn

from initium import Rule, plan, record
from initium.methods.catalogue import find
from initium.plan import Run
from initium.plan.data_driven.baseline import baseline_of


def test_weights_are_tuned_and_biases_norms_and_rules_are_not() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 4))
    seen = record(model, noise(16, 8))
    ruled = {
        one.name: one
        for one in plan(seen, policy="shipped", rules=[Rule(where="3.weight", method="ones")])
        if one.rule == "rule"
    }
    lsuv = find("lsuv")
    found = baseline_of(lsuv, lsuv.resolve(), "orthogonal", seen, Run(model, ruled=ruled))
    assert found.tuned == ("0.weight",)
    assert {one.name: one.method for one in found.assignments} == {
        "0.weight": "orthogonal", "0.bias": "zeros", "1.weight": "keep", "1.bias": "keep", "3.weight": "ones",
        "3.bias": "zeros",
    }  # fmt: skip
    assert {one.rule for one in found.assignments if not one.keeps} == {"policy lsuv", "rule"}
    scaled = {one.name: one.scale for one in found.scaled({"0.weight": 3.0})}
    assert scaled["0.weight"] == 3.0
    assert {scale for name, scale in scaled.items() if name != "0.weight"} == {1.0}


def test_layers_that_the_method_is_not_for_are_kept() -> None:
    model = nn.Sequential(nn.Embedding(8, 4), nn.Linear(4, 2))
    seen = record(model, noise(6, 3).abs().long())
    method = find("lsuv")
    found = {one.name: one for one in baseline_of(method, {}, "orthogonal", seen, Run(model)).assignments}
    assert "embedding" in method.layers or found["0.weight"].rule in ("not a weight", "cannot serve")


def test_factors_multiply_what_is_there_and_zeros_have_no_scale_to_find() -> None:
    model = nn.Sequential(nn.Linear(8, 4))
    seen, lsuv = record(model, noise(16, 8)), find("lsuv")
    found = baseline_of(lsuv, lsuv.resolve(), "orthogonal", seen, Run(model))
    once = replace(found, assignments=found.scaled({"0.weight": 1.5}))
    assert {one.name: one.scale for one in once.scaled({"0.weight": 2.0})} == {"0.weight": 3.0, "0.bias": 1.0}
    assert baseline_of(lsuv, lsuv.resolve(), "zeros", seen, Run(model)).tuned == ()


def test_a_rule_is_not_scaled_and_the_drawn_layer_has_unit_output() -> None:
    model, x = nn.Sequential(nn.Linear(30, 40), nn.Tanh(), nn.Linear(40, 20)), noise(200, 30)
    done = plan(model, x, policy="lsuv", rules=[Rule(where="0.weight", method="normal", std=0.02)])
    done.apply(model, seed=done.seed)
    assert done["0.weight"].scale == 1.0
    assert model[0].weight.std().item() == pytest.approx(0.02, rel=5 / (2 * 1200) ** 0.5)
    assert model(x).std().item() == pytest.approx(1, abs=0.1)
