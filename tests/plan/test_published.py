"""What the authors of published models set on purpose survives `init_`, on the models themselves."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import initium
from initium.data import photographs

pytest.importorskip("timm")
pytest.importorskip("torchvision")


def of_timm(name: str, **arguments: object) -> nn.Module:
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = timm.create_model(name, **arguments)
    return model


def snapshot(model: nn.Module, chosen: Callable[[str, Tensor], bool]) -> dict[str, Tensor]:
    found = {name: p.detach().clone() for name, p in model.named_parameters() if chosen(name, p)}
    assert found
    return found


def unchanged(model: nn.Module, before: dict[str, Tensor]) -> bool:
    parameters = dict(model.named_parameters())
    return all(torch.equal(parameters[name], value) for name, value in before.items())


def test_the_class_prior_of_retinanet() -> None:
    from torchvision.models import get_model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = get_model(
            "retinanet_resnet50_fpn",
            weights=None,
            weights_backbone=None,
            num_classes=5,
            min_size=64,
            max_size=64,
        )
    boxes = {"boxes": torch.tensor([[4.0, 4.0, 40.0, 50.0]]), "labels": torch.tensor([1])}
    receipt = initium.init_(model, (list(photographs(2, 64)), [boxes, boxes]))
    bias = model.head.classification_head.cls_logits.bias
    assert torch.allclose(bias, torch.full_like(bias, -math.log(99.0)))
    assert receipt.written


def test_the_zero_gammas_of_resnet() -> None:
    model = of_timm("resnet18", num_classes=10)
    before = snapshot(model, lambda name, p: p.dim() == 1 and not bool(p.any()) and name.endswith("weight"))
    assert len(before) == 8
    initium.init_(model, photographs(4, 64))
    assert unchanged(model, before)


def test_layer_scales() -> None:
    model = of_timm("convnext_atto", num_classes=10, ls_init_value=1e-6)
    before = snapshot(model, lambda name, p: p.dim() == 1 and bool((p == 1e-6).all()))
    initium.init_(model, photographs(4, 64))
    assert unchanged(model, before)


def test_frozen_and_tied_parameters() -> None:
    model = of_timm("resnet18", num_classes=10)
    model.layer1.requires_grad_(False)
    model.layer3[1].conv2.weight = model.layer3[1].conv1.weight
    before = snapshot(model, lambda name, p: name.startswith("layer1") or name == "layer3.1.conv1.weight")
    initium.init_(model, photographs(4, 64))
    assert unchanged(model, before)
    assert model.layer3[1].conv2.weight is model.layer3[1].conv1.weight
    assert not any(p.requires_grad for p in model.layer1.parameters())
