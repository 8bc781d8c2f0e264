"""Recipes of convolutional classifiers, against the libraries' own small models and their numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import timm
import torch
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started, unlike
from timm.models.nfnet import NormFreeNet, model_cfgs
from torchvision.models.resnet import BasicBlock, ResNet

X = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
MODELS = {
    "timm_resnet": lambda: timm.create_model("test_resnet"),
    "torchvision_resnet": lambda: ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10, width_per_group=64),
    "convnext": lambda: timm.create_model("test_convnext"),
    "efficientnet": lambda: timm.create_model("test_efficientnet"),
    "nfnet": lambda: NormFreeNet(replace(model_cfgs["test_nfnet"], skipinit=True), num_classes=50),
}


@pytest.mark.parametrize("recipe", MODELS)
def test_it_is_the_librarys_own_start(recipe):
    model = MODELS[recipe]()
    found = started(model, X, recipe)
    reference = dict(model.named_parameters())
    assert reference.keys() - found.keys() == set()
    assert unlike(found, reference) == []


def test_he_over_fan_out_and_zero_gammas():
    model = MODELS["timm_resnet"]()
    found = started(model, X, "timm_resnet")
    shapes = {name: one.shape for name, one in found.items() if one.dim() == 4}
    assert all(is_normal(found[name], math.sqrt(2 / (s[0] * s[2] * s[3]))) for name, s in shapes.items())
    last = {
        name for name, one in found.items() if one.dim() == 1 and is_all(one, 0) and name.endswith("weight")
    }
    blocks = {name.rpartition(".")[0] for name in found if ".conv1." in name}
    assert len(last) == len(blocks)
    other = started(MODELS["torchvision_resnet"](), X, "torchvision_resnet")
    assert all(is_all(one, 1) for name, one in other.items() if "bn" in name and name.endswith("weight"))


def test_convnext_has_one_spread_and_its_layer_scales():
    found = started(MODELS["convnext"](), X, "convnext")
    scales = [one for name, one in found.items() if "gamma" in name]
    assert scales
    assert all(is_all(one / 1e-6, 1) for one in scales)
    assert all(is_normal(one, 0.02) for one in found.values() if one.dim() > 1)


def test_efficientnet_counts_the_fan_of_a_group():
    found = started(MODELS["efficientnet"](), X, "efficientnet")
    model = MODELS["efficientnet"]()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            fan = module.kernel_size[0] ** 2 * module.out_channels // module.groups
            assert is_normal(found[f"{name}.weight"], math.sqrt(2 / fan)), name
    head = model.classifier
    assert is_uniform(found["classifier.weight"], 1 / math.sqrt(head.out_features))


def test_nfnets_are_lecun_with_skip_gains_nought():
    found = started(MODELS["nfnet"](), X, "nfnet")
    convolutions = {name: one for name, one in found.items() if one.dim() == 4 and "gain" not in name}
    assert all(is_normal(one, one[0].numel() ** -0.5) for one in convolutions.values())
    assert all(is_all(one, 0) for name, one in found.items() if name.endswith("skipinit_gain"))
    assert sum(name.endswith("skipinit_gain") for name in found) == 4
    assert is_normal(found["head.fc.weight"], 0.01)
