from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from tests.methods.made import made

from initium.errors import LayerError, UsageError
from initium.methods.catalogue import find
from initium.methods.families.heads import class_biases
from initium.random.distributions import Constant
from initium.theory.layer import Layer

BIAS = Layer("vector", (4,))


def test_priors_are_the_published_numbers():
    assert find("focal_prior")(BIAS).value == pytest.approx(-4.595, abs=1e-3)
    assert find("heatmap_prior")(BIAS).value == pytest.approx(-2.197, abs=1e-3)
    assert torch.sigmoid(torch.tensor(find("focal_prior")(BIAS, prior=0.2).value)).item() == pytest.approx(
        0.2
    )


def test_yolo_biases():
    assert find("yolo_prior")(BIAS, stride=16).value == pytest.approx(math.log(5 / 80 / (640 / 16) ** 2))
    assert find("yolo_prior")(BIAS, part="object", stride=32).value == pytest.approx(math.log(8 / 400))
    assert find("yolo_prior")(BIAS, part="box", box=1.0) == Constant(1.0)


def test_the_first_loss_is_the_entropy_of_the_classes():
    labels = torch.tensor([0] * 700 + [1] * 200 + [2] * 90 + [3] * 10)
    shares = (0.7, 0.2, 0.09, 0.01)
    bias = made("class_prior", BIAS, frequencies=shares)
    entropy = -sum(p * math.log(p) for p in shares)
    assert F.cross_entropy(bias.expand(1000, 4), labels).item() == pytest.approx(entropy, abs=1e-5)
    assert torch.equal(bias, made("class_prior", BIAS, frequencies=(700, 200, 90, 10)))


def test_classes_repeat_for_every_anchor():
    bias = made("class_prior", BIAS, frequencies=(3, 1), copies=2)
    assert torch.allclose(bias.exp(), torch.tensor([0.75, 0.25, 0.75, 0.25]))


def test_sigmoid_heads_start_at_the_shares():
    bias = made("class_prior", BIAS, frequencies=(0.5, 0.1, 0.01, 0.9), loss="sigmoid")
    assert torch.allclose(torch.sigmoid(bias), torch.tensor([0.5, 0.1, 0.01, 0.9]))
    unknown = find("class_prior")(Layer("vector", (100,)), loss="focal")
    assert 1 / (1 + math.exp(-unknown.value)) == pytest.approx(0.01)


def test_bad_frequencies():
    with pytest.raises(UsageError, match="smoothing=1"):
        class_biases([10, 0])
    assert class_biases([10, 0], smoothing=1)[1] == pytest.approx(math.log(1 / 12))
    with pytest.raises(UsageError, match="between 0 and 1"):
        class_biases([10, 5], loss="sigmoid")
    with pytest.raises(LayerError, match="each of the 4 classes, not 3 times 2 copies"):
        find("class_prior")(BIAS, frequencies=(1, 2, 3), copies=2)
    with pytest.raises(LayerError, match="each of the 4 classes, not 3"):
        find("class_prior")(BIAS, frequencies=(1, 2, 3))
    with pytest.raises(UsageError, match="at least 0"):
        find("class_prior")(BIAS, frequencies=(1, 2, -3, 4))


@pytest.mark.parametrize(
    ("part", "std"), [("class", 0.01), ("box", 0.001), ("rpn", 0.01), ("mask", 0.001), ("tower", 0.01)]
)
def test_detection_heads(part, std):
    assert find("detection_head")(Layer("linear", (5, 9)), part=part).std == std
    assert find("detection_head")(BIAS, part=part) == Constant(0.0)


def test_adapters_start_without_effect():
    a, b = Layer("linear", (8, 64)), Layer("linear", (64, 8))
    assert find("lora")(b, part="b") == Constant(0.0)
    assert find("lora")(a).high == pytest.approx(1 / 8)
    assert find("lora")(a, rule="gaussian").std == pytest.approx(1 / 8)
    assert find("zero_conv")(Layer("conv", (4, 4, 1, 1))) == find("zero_head")(b) == Constant(0.0)
