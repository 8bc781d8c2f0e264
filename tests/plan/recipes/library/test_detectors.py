"""Recipes of detectors, against torchvision's own modules on small maps and published numbers."""

from __future__ import annotations

import math
from collections import OrderedDict

import pytest
import torch
from benchmarks.recipe_nets import CenterHeads, YoloHeads
from tests.plan.recipes.library.moments import is_all, is_normal, is_uniform, started, unlike
from torch import nn
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, roi_align

X = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
WIDTH = 32


class Detector(nn.Module):
    """A trunk of two maps, a pyramid, proposals, and heads on regions."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.ModuleList([nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(16, 24, 3, 2, 1)])
        self.fpn = FeaturePyramidNetwork([16, 24], WIDTH)
        self.rpn = RPNHead(WIDTH, 3)
        self.box = nn.Linear(WIDTH * 49, 64)
        self.classes, self.deltas = nn.Linear(64, 7), nn.Linear(64, 28)
        self.mask, self.predictor = (
            MaskRCNNHeads(WIDTH, (WIDTH, WIDTH), 1),
            MaskRCNNPredictor(WIDTH, WIDTH, 7),
        )

    def forward(self, x):
        low = self.trunk[0](x).relu()
        maps = list(self.fpn(OrderedDict(a=low, b=self.trunk[1](low).relu())).values())
        scores, boxes = self.rpn(maps)
        regions = roi_align(maps[0], torch.tensor([[0, 1.0, 1, 9, 9], [1, 2, 2, 12, 12]]), 7)
        seen = self.box(regions.flatten(1)).relu()
        return (
            *scores,
            *boxes,
            self.classes(seen).softmax(1),
            self.deltas(seen),
            self.predictor(self.mask(regions)),
        )


class Dense(nn.Module):
    """A pyramid with RetinaNet's towers, scores through a sigmoid."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.ModuleList([nn.Conv2d(3, 16, 3, 4, 1), nn.Conv2d(16, 24, 3, 2, 1)])
        self.fpn = FeaturePyramidNetwork([16, 24], WIDTH)
        self.head = RetinaNetHead(WIDTH, 3, 5)

    def forward(self, x):
        low = self.trunk[0](x).relu()
        maps = list(self.fpn(OrderedDict(a=low, b=self.trunk[1](low).relu())).values())
        found = self.head(maps)
        return found["cls_logits"].sigmoid(), found["bbox_regression"]


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Detector()


def test_the_pyramid_and_the_proposals_are_torchvisions(model):
    reference = dict(model.named_parameters())
    fpn, rpn = started(model, X, "fpn"), started(model, X, "rpn")
    assert fpn.keys() == {name for name in reference if name.startswith("fpn")}
    assert rpn.keys() == {name for name in reference if name.startswith("rpn")}
    assert unlike(fpn, reference) == []
    assert unlike(rpn, reference) == []
    for one in fpn.values():
        assert is_all(one, 0) if one.dim() == 1 else is_uniform(one, math.sqrt(3 / one[0].numel()))
    assert all(is_normal(one, 0.01) for one in rpn.values() if one.dim() > 1)


def test_heads_on_regions_are_torchvisions(model):
    found, reference = started(model, X, "torchvision_rcnn"), dict(model.named_parameters())
    assert found.keys() == {name for name in reference if not name.startswith("trunk")}
    assert unlike(found, reference) == []


def test_heads_on_regions_have_detectron2s_spreads(model):
    """FastRCNNOutputLayers: .01 for scores, .001 for boxes; c2_xavier_fill, c2_msra_fill; masks .001."""
    found = started(model, X, "detectron2_rcnn")
    assert is_normal(found["classes.weight"], 0.01)
    assert is_normal(found["deltas.weight"], 0.001)
    assert is_uniform(found["box.weight"], math.sqrt(3 / (WIDTH * 49)))
    assert is_normal(found["predictor.mask_fcn_logits.weight"], 0.001)
    assert is_normal(found["mask.0.0.weight"], math.sqrt(2 / (WIDTH * 9)))
    assert is_normal(found["predictor.conv5_mask.weight"], math.sqrt(2 / (WIDTH * 4)))
    assert all(is_all(one, 0) for name, one in found.items() if name.endswith("bias"))
    masks = started(model, X, "mask_head")
    assert {name.split(".")[0] for name in masks} == {"mask", "predictor"}
    assert is_normal(masks["predictor.mask_fcn_logits.weight"], 0.001)


@pytest.mark.parametrize("recipe", ["retinanet", "fcos"])
def test_dense_heads_are_torchvisions_with_the_prior(recipe):
    model = Dense()
    found, reference = started(model, X, recipe), dict(model.named_parameters())
    assert found.keys() == {name for name in reference if not name.startswith("trunk")}
    assert unlike(found, reference) == []
    assert is_all(found["head.classification_head.cls_logits.bias"], -math.log(99))
    assert is_all(found["head.regression_head.bbox_reg.bias"], 0)


def test_centernets_heat_map_expects_one_place_in_ten():
    found = started(CenterHeads(), X, "centernet")
    assert found["heads.hm.2.bias"].sigmoid().tolist() == pytest.approx([0.1] * 80, rel=1e-5)
    for name in ("wh", "reg"):
        assert is_normal(found[f"heads.{name}.2.weight"], 0.001)
        assert is_all(found[f"heads.{name}.2.bias"], 0)
        assert is_uniform(found[f"heads.{name}.0.weight"], 1 / math.sqrt(64 * 9))


def test_yolo_expects_five_objects_over_classes_and_cells():
    found = started(YoloHeads(num_classes=20), torch.randn(2, 3, 128, 128), "yolo")
    for level, side in enumerate((16, 8, 4)):
        assert is_all(found[f"classes.{level}.3.bias"], math.log(5 / 20 / side**2))
        assert is_all(found[f"boxes.{level}.3.bias"], 2.0)
        assert is_uniform(found[f"classes.{level}.3.weight"], 1 / math.sqrt(32))
