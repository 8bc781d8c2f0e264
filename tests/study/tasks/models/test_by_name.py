"""Standard models: names, sizes, and that each gives an output its task can use."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from initium.errors import UnknownNameError, UsageError
from initium.study.tasks.kinds import kind_of_model
from initium.study.tasks.models.by_name import ACTIVATION_MODULES, example_names, make_model, parse


def num_weights(model: nn.Module) -> int:
    return sum(isinstance(m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)) for m in model.modules())


@pytest.mark.parametrize("name", example_names())
def test_every_family_has_the_depth_that_its_name_says(name: str) -> None:
    dense = kind_of_model(name).targets != "labels"
    shape = (3, 48, 48) if dense else (1, 14, 14)
    model = make_model(name, shape, 9)
    output = model(torch.randn(2, *shape))
    assert output.shape[:2] == (2, 9)
    assert output.dim() == (4 if dense else 2)
    if parse(name)[0].name in ("mlp", "cnn", "fcn", "detector", "resnet", "resnet-nonorm"):
        assert num_weights(model) == parse(name)[1]


@pytest.mark.parametrize("activation", ACTIVATION_MODULES)
def test_every_activation(activation: str) -> None:
    model = make_model(f"cnn6-{activation}", (1, 14, 14), 10)
    wanted = type(ACTIVATION_MODULES[activation]())
    assert sum(isinstance(m, wanted) for m in model.modules()) == 5


@pytest.mark.parametrize("size", [14, 28, 32, 48, 64, 96])
@pytest.mark.parametrize("name", ["cnn8-relu", "resnet6", "vit1", "fcn5", "unet", "detector6"])
def test_any_size_of_picture(name: str, size: int) -> None:
    model = make_model(name, (3, size, size), 6)
    assert model(torch.randn(1, 3, size, size)).shape[1] == 6


def test_the_detector_expects_few_objects() -> None:
    head = make_model("detector12", (3, 48, 48), 8)[-1]  # type: ignore[index]
    assert torch.allclose(head.bias[:4], torch.tensor(-math.log(99.0)))
    assert bool((head.bias[4:].abs() < 1).all())


@pytest.mark.parametrize("name", ["cnm20-relu", "cnn20-rellu", "cnn20-relu-tanh", "", "20", "vit-nonorm"])
def test_unknown_names_are_told(name: str) -> None:
    with pytest.raises(UnknownNameError):
        make_model(name, (1, 14, 14), 10)


def test_too_few_layers_are_told() -> None:
    with pytest.raises(UsageError, match="at least 4 for cnn"):
        make_model("cnn2", (1, 14, 14), 10)
