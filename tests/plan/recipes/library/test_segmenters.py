"""Recipes of segmentation models, by their laws and torchvision's own modules."""

from __future__ import annotations

import math

import torch
from benchmarks.recipe_nets import SmallUNet
from tests.plan.recipes.library.moments import is_all, is_normal, started, unlike
from torch import nn
from torchvision.models import _utils as utils
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3

X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Narrow(ResNet):
    """A residual trunk that ends after two stages."""

    def __init__(self):
        super().__init__(BasicBlock, [1, 2, 1, 1], num_classes=2)
        self.layer3 = self.layer4 = self.fc = nn.Identity()


def test_a_deeplab_starts_as_torchvisions():
    trunk = utils.IntermediateLayerGetter(Narrow(), {"layer2": "out"})
    model = DeepLabV3(trunk, DeepLabHead(128, 5, (2, 4, 6)))
    found = started(model, X, "deeplab", forward=lambda model, x: model(x)["out"])
    reference = dict(model.named_parameters())
    assert found.keys() == reference.keys()
    assert unlike(found, reference) == []


def test_unets_differ_by_their_fan_and_slope():
    """He over what adds up in a pixel, of transposed convolutions one tap; nnU-Net over torch's fan, slope .01."""
    model = SmallUNet()
    paper, code = (started(model, X, recipe) for recipe in ("unet", "nnunet"))
    for found in (paper, code):
        assert all(is_all(one, 0) for one in found.values() if one.dim() == 1)
    for name, weight in model.named_parameters():
        if weight.dim() == 4:
            fan = weight.shape[0] if name.startswith("raise_") else weight[0].numel()
            assert is_normal(paper[name], math.sqrt(2 / fan)), name
            assert is_normal(code[name], math.sqrt(2 / (1 + 0.01**2) / weight[0].numel())), name
