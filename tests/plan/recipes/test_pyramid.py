"""Pyramids on the tape, against the modules that torchvision names so."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision.ops import FeaturePyramidNetwork, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from initium.plan.recipes.pyramid import Pyramid
from initium.record import record


class Net(nn.Module):
    """A trunk of `levels` maps, a pyramid with two levels more, and a head on regions."""

    def __init__(self, levels):
        super().__init__()
        self.trunk = nn.ModuleList([nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1) for i in range(levels)])
        self.fpn = FeaturePyramidNetwork([8] * levels, 6, LastLevelP6P7(6, 6))
        self.region = nn.Linear(6 * 9, 5)
        self.dense = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        maps = OrderedDict()
        for i, one in enumerate(self.trunk):
            maps[str(i)] = x = one(x).relu()
        found = list(self.fpn(maps).values())
        regions = roi_align(found[0], torch.tensor([[0, 1.0, 1, 9, 9]]), 3)
        return self.region(regions.flatten(1)), *(self.dense(one) for one in found)


def words_of(model, x):
    seen = record(model, x)
    pyramid = Pyramid(seen)
    found = {}
    for name, part in seen.parts.items():
        if name.endswith("weight"):
            for word in pyramid.words(part):
                found.setdefault(word, set()).add(name)
    return found, pyramid


@pytest.mark.parametrize("levels", [2, 3])
def test_laterals_outputs_and_regions_are_those_of_torchvision(levels):
    model = Net(levels)
    found, pyramid = words_of(model, torch.randn(2, 3, 64, 64))
    names = [name for name, _ in model.named_parameters() if name.endswith("weight")]
    assert found["lateral"] == {name for name in names if "inner_blocks" in name}
    outputs = {name for name in names if "layer_blocks" in name or "extra_blocks" in name}
    assert found["pyramid"] >= {name for name in names if "layer_blocks" in name}
    assert found["pyramid"] <= outputs
    assert found["in_region"] == {"region.weight"}
    assert len(pyramid.merges) == levels - 1
    assert len(pyramid.laterals) == levels


class Decoder(nn.Module):
    """A sum of a map with an upsampled one, by convolutions that are and that are not of one tap."""

    def __init__(self, side):
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, 2, 1)
        self.skip, self.up = (
            nn.Conv2d(3, 4, side, padding=side // 2),
            nn.Conv2d(4, 4, side, padding=side // 2),
        )
        self.out = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x):
        return self.out(self.skip(x) + F.interpolate(self.up(self.down(x).relu()), scale_factor=2))


def test_a_lateral_has_one_tap():
    found, _ = words_of(Decoder(1), torch.randn(2, 3, 16, 16))
    assert found == {"lateral": {"skip.weight", "up.weight"}, "pyramid": {"out.weight"}}
    found, pyramid = words_of(Decoder(3), torch.randn(2, 3, 16, 16))
    assert found == {"pyramid": {"out.weight"}}
    assert len(pyramid.merges) == 1


def test_a_residual_sum_is_no_merge():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            x = x + self.a(x)
            y = F.interpolate(x, scale_factor=2)
            return y + y

    found, pyramid = words_of(Block(), torch.randn(2, 3, 8, 8))
    assert (found, pyramid.merges) == ({}, frozenset())
