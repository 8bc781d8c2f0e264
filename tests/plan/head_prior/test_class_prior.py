from __future__ import annotations

import json
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import sigmoid_focal_loss

import initium
from initium import Rule, class_prior
from initium.errors import LayerError, UnknownNameError, UsageError

SHARES = (0.7, 0.2, 0.09, 0.01)
LABELS = torch.tensor([c for c, p in enumerate(SHARES) for _ in range(round(1000 * p))])


def net(classes=4, bias=True):
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, classes, bias=bias))


def started(rules, classes=4):
    model = net(classes)
    initium.init_(model, torch.randn(16, 8), policy="he_normal", rules=rules)
    return model


def test_the_first_loss_of_a_softmax_head_is_the_entropy_of_the_classes():
    model = started([class_prior(LABELS), Rule(where="head", method="zeros")])
    loss = F.cross_entropy(model(torch.randn(1000, 8)), LABELS).item()
    assert loss == pytest.approx(-sum(p * math.log(p) for p in SHARES), abs=1e-5)
    assert loss < math.log(4) - 0.5


def test_the_first_loss_of_a_sigmoid_head_is_the_sum_of_binary_entropies():
    hot = F.one_hot(LABELS, 4).float()
    model = started([class_prior(hot, loss="sigmoid"), Rule(where="head", method="zeros")])
    loss = F.binary_cross_entropy_with_logits(model(torch.randn(1000, 8)), hot).item()
    wanted = -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in SHARES) / 4
    assert loss == pytest.approx(wanted, abs=1e-5)
    assert torch.allclose(model[2].bias, torch.tensor([-math.log((1 - p) / p) for p in SHARES]), atol=1e-5)


def test_the_first_focal_loss_is_its_closed_form():
    """p of (1 - p)^gamma alpha -ln p, and 1 - p of p^gamma (1 - alpha) -ln(1 - p), over classes."""
    hot, alpha, gamma = F.one_hot(LABELS, 4).float(), 0.25, 2.0
    model = started([class_prior(LABELS, loss="focal"), Rule(where="head", method="zeros")])
    loss = sigmoid_focal_loss(model(torch.randn(1000, 8)), hot, alpha, gamma, reduction="mean").item()
    wanted = (
        sum(
            -p * alpha * (1 - p) ** gamma * math.log(p) - (1 - p) * (1 - alpha) * p**gamma * math.log(1 - p)
            for p in SHARES
        )
        / 4
    )
    assert loss == pytest.approx(wanted, abs=1e-6)


def test_smoothing_is_the_stated_formula():
    softmax = class_prior(counts=[9, 0, 1], smoothing=1).params["frequencies"]
    assert softmax == pytest.approx((10 / 13, 1 / 13, 2 / 13))
    sigmoid = class_prior(counts=[9, 0], total=20, loss="sigmoid", smoothing=0.5).params["frequencies"]
    assert sigmoid == pytest.approx((9.5 / 21, 0.5 / 21))


def test_several_labels_a_sample_need_the_total():
    assert class_prior(counts=[6, 5], total=10, loss="sigmoid").params["frequencies"] == (0.6, 0.5)


def test_a_named_bias_with_anchors():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3 * 2, 1))
    rule = class_prior(counts=[1, 9], where="2.bias", loss="focal", copies=3)
    plan = initium.plan(model, torch.randn(2, 3, 8, 8), rules=[rule])
    assert initium.Plan.from_json(plan.to_json())["2.bias"] == plan["2.bias"]
    plan.apply(model)
    assert torch.allclose(model[2].bias.sigmoid(), torch.tensor([0.1, 0.9] * 3))
    by_role = initium.plan(model, torch.randn(2, 3, 8, 8), rules=[class_prior(counts=[1, 9], copies=3)])
    assert by_role["2.bias"].method == "class_prior"


def test_heads_are_found_behind_upsampling_and_losses():
    """A segmentation model with an auxiliary head, upsampled; a classifier that returns its loss."""
    model = Segmenter()
    plan = initium.plan(
        model, torch.randn(2, 3, 8, 8), policy="shipped", rules=[class_prior(counts=[9, 4, 2, 1])]
    )
    assert [one.name for one in plan if one.method == "class_prior"] == ["head.bias", "aux.bias"]
    labels = torch.randint(4, (2, 16, 16))
    plan = initium.plan(
        model, (torch.randn(2, 3, 8, 8), labels), policy="shipped", rules=[class_prior(labels)]
    )
    assert [one.name for one in plan if one.method == "class_prior"] == ["head.bias", "aux.bias"]


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.head, self.aux = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 1),
            nn.Conv2d(4, 4, 1),
        )

    def forward(self, x, labels=None):
        x = torch.relu(self.trunk(x))
        maps = [F.interpolate(head(x), scale_factor=2, mode="bilinear") for head in (self.head, self.aux)]
        return maps if labels is None else sum(F.cross_entropy(one, labels) for one in maps)


def test_a_hostile_plan_is_refused():
    plan = initium.plan(net(), torch.randn(16, 8), rules=[class_prior(LABELS)])
    for wrong in ("0.7", -0.7, float("nan"), None, [0.7], True):
        data = json.loads(plan.to_json())
        params = next(one["params"] for one in data["assignments"] if one["method"] == "class_prior")
        params["frequencies"][0] = wrong
        with pytest.raises(UsageError, match="frequencies"):
            initium.Plan.from_json(json.dumps(data))


def test_a_head_that_does_not_fit_names_what_there_is():
    with pytest.raises(UsageError, match=r"no bias of 4 classes.*2\.bias \(5,\)"):
        initium.plan(net(5), torch.randn(16, 8), rules=[class_prior(LABELS)])
    with pytest.raises(UsageError, match=r"heads without a bias of their own: 2\.weight"):
        initium.plan(net(bias=False), torch.randn(16, 8), rules=[class_prior(LABELS)])
    with pytest.raises(LayerError, match="each of the 5 classes, not 4"):
        initium.plan(net(5), torch.randn(16, 8), rules=[class_prior(LABELS, where="2.bias")])


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "without labels or counts"), ({"labels": LABELS, "counts": [1]}, "both labels and counts"),
        ({"counts": [5, 0]}, "smoothing=1"), ({"counts": [5, 5], "loss": "sigmoid", "total": 5}, "strictly between"),
        ({"counts": [1, 2], "num_classes": 3}, "2 class counts for 3 classes"),
        ({"counts": [1, 2], "smoothing": -1}, "smoothing"), ({"labels": LABELS, "num_classes": 3}, "class number 3"),
    ],
)  # fmt: skip
def test_bad_input(arguments, match):
    with pytest.raises(UsageError, match=match):
        class_prior(**arguments)
    with pytest.raises(UnknownNameError, match="did you mean softmax"):
        class_prior(LABELS, loss="softmx")
