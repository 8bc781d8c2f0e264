"""What a recipe does with a model, and what it says when it cannot."""

from __future__ import annotations

import pytest
import torch
from benchmarks.recipe_nets import Attention, Gated, PostNorm, Unnormed
from torch import nn

import initium
from initium.errors import UnknownNameError, UsageError


def mlp():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


@pytest.mark.parametrize(
    ("recipe", "missing"),
    [
        ("fixup", "residual branch"), ("gpt2", "residual branch"), ("timm_vit", "attention has mixed"),
        ("fpn", "upsampled"), ("retinanet", "sigmoid"), ("timm_resnet", "convolution"),
        ("deformable_attention", "where attention samples"), ("mask_head", "cut out"),
    ],
)  # fmt: skip
def test_a_recipe_for_something_else_says_what_is_missing_and_what_fits(recipe, missing):
    with pytest.raises(UsageError, match=missing) as raised:
        initium.plan(mlp(), torch.randn(4, 8), policy=f"recipe:{recipe}")
    assert "recipe:torch_default" in raised.value.remedy


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean timm_resnet"):
        initium.plan(mlp(), torch.randn(4, 8), policy="recipe:timm_resnets")


def test_frozen_tied_and_loaded_parameters_stay():
    net = mlp()
    net[0].weight.requires_grad_(False)
    net[2].weight._is_hf_initialized = True
    plan = initium.plan(net, torch.randn(4, 8), policy="recipe:torch_default")
    assert [one.rule for one in plan] == ["frozen", "recipe:torch_default", "loaded", "recipe:torch_default"]
    assert "1 frozen, 1 loaded" in plan.notes[0]


def test_nothing_left_to_change_is_an_error():
    net = mlp().requires_grad_(False)
    with pytest.raises(UsageError, match="may be changed"):
        initium.plan(net, torch.randn(4, 8), policy="recipe:torch_default")


def test_rules_come_before_the_recipe():
    rule = initium.Rule(where="head", method="zeros")
    plan = initium.plan(mlp(), torch.randn(4, 8), policy="recipe:torch_default", rules=[rule])
    assert plan["2.weight"].method == "zeros"
    assert plan["0.weight"].method == "torch_default"


def test_a_plan_by_recipe_is_plain_data_and_fills_a_model():
    net = Gated()
    plan = initium.plan(net, torch.randint(300, (2, 16)), policy="recipe:gpt2")
    assert initium.Plan.from_json(plan.to_json()) == plan
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(7.0)
    receipt = initium.init_(net, torch.randint(300, (2, 16)), policy="recipe:gpt2")
    assert len(receipt.written) == len(list(net.parameters()))
    assert net.table.weight.std().item() == pytest.approx(0.02, rel=0.03)


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_depth_comes_from_the_record(layers):
    tokens = torch.randint(200, (2, 8))
    plan = initium.plan(Gated(layers=layers), tokens, policy="recipe:gpt2")
    assert plan["attention.0.out.weight"].params == {"residual": True, "num_layers": layers}
    deep = initium.plan(Gated(layers=layers), tokens, policy="recipe:olmo")
    assert [deep[f"fall.{i}.weight"].params["index"] for i in range(layers)] == list(range(layers))
    plan = initium.plan(Unnormed(layers=layers), tokens, policy="recipe:t_fixup")
    assert plan["table.weight"].params["num_layers"] == layers


@pytest.mark.parametrize(("net", "recipe"), [(PostNorm, "deepnorm"), (Unnormed, "t_fixup")])
def test_packed_projections_are_split_where_the_recipe_asks_for_it(net, recipe):
    model = net(packed=True)
    inputs = torch.randn(2, 8, 64) if net is PostNorm else torch.randint(200, (2, 8))
    initium.init_(model, inputs, policy=f"recipe:{recipe}")
    query, key, value = model.attention[0].inner[0].weight.detach().chunk(3)
    scale = 24**-0.25 if recipe == "deepnorm" else 0.67 * 3**-0.25
    assert query.std().item() == pytest.approx(64**-0.5, rel=0.05)  # 4096 uniform numbers: 3 errors are 2 %
    assert key.std().item() == pytest.approx(64**-0.5, rel=0.05)
    assert value.std().item() == pytest.approx(64**-0.5 * scale, rel=0.05)


def test_a_meta_model_is_planned_too():
    with torch.device("meta"):
        net = nn.Sequential(Attention(32, 4), nn.Linear(32, 5))
    plan = initium.plan(net, torch.empty(2, 4, 32, device="meta"), policy="recipe:timm_vit")
    assert plan["0.inner.0.weight"].method == "truncated_normal"


def test_names_and_classes_do_not_matter():
    torchvision = pytest.importorskip("torchvision")
    net = torchvision.models.resnet18(weights=None)
    *trunk, fc = net.children()
    other = nn.Sequential(*trunk, nn.Flatten(), fc)
    for module in list(other.modules()):
        if type(module).__name__ == "BasicBlock":
            module.__class__ = type("Thing", (type(module),), {})
    inputs = torch.randn(2, 3, 32, 32)
    wanted, found = (initium.plan(one, inputs, policy="recipe:timm_resnet") for one in (net, other))
    assert [(one.method, one.params) for one in found] == [(one.method, one.params) for one in wanted]
    assert [one.name for one in found] != [one.name for one in wanted]
