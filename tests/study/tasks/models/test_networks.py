"""The standard networks against torch's own modules and counts by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from initium.study.tasks.models import networks as made

SHAPE = (3, 32, 32)


def count(model: nn.Module) -> int:
    return sum(one.numel() for one in model.parameters())


def conv(num_in: int, num_out: int, side: int = 3) -> int:
    return num_in * num_out * side**2 + num_out


def test_parameters_are_as_many_as_counted_by_hand() -> None:
    assert count(made.mlp(SHAPE, 10, 4, nn.ReLU)) == 3073 * 64 + 2 * 65 * 64 + 65 * 10
    assert count(made.cnn(SHAPE, 10, 6, nn.ReLU)) == conv(3, 16) + 4 * conv(16, 16) + 65 * 10
    assert count(made.fcn(SHAPE, 5, 6, nn.ReLU)) == conv(3, 24) + 4 * conv(24, 24) + conv(24, 5, 1)
    assert count(made.detector(SHAPE, 9, 5, nn.ReLU)) == conv(3, 32) + 3 * conv(32, 32) + conv(32, 9)
    assert count(made.resnet(SHAPE, 10, 8, nn.ReLU)) == conv(3, 16) + 6 * conv(16, 16) + 65 * 10
    assert (
        count(made.normed_resnet(SHAPE, 10, 8, nn.ReLU)) == count(made.resnet(SHAPE, 10, 8, nn.ReLU)) + 6 * 32
    )


def test_the_perceptron_is_its_layers() -> None:
    model = made.mlp(SHAPE, 10, 4, nn.Tanh)
    x = torch.randn(5, *SHAPE)
    weights = [one for one in model if isinstance(one, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in weights] == [
        (3072, 64),
        (64, 64),
        (64, 64),
        (64, 10),
    ]
    y = x.flatten(1)
    for layer in weights[:-1]:
        y = torch.tanh(layer(y))
    assert torch.equal(model(x), weights[-1](y))


@pytest.mark.parametrize(("side", "halvings"), [(14, 1), (28, 2), (32, 2), (64, 3), (224, 5)])
def test_convolutions_halve_the_picture_to_about_eight(side: int, halvings: int) -> None:
    model = made.cnn((1, side, side), 10, 9, nn.ReLU)
    strides = [one.stride[0] for one in model if isinstance(one, nn.Conv2d)]
    assert strides == [1, *[2] * halvings, *[1] * (7 - halvings)]


def test_the_segmenter_dilates_its_second_half() -> None:
    convolutions = [one for one in made.fcn(SHAPE, 5, 6, nn.ReLU) if isinstance(one, nn.Conv2d)]
    assert [one.dilation[0] for one in convolutions] == [1, 1, 1, 2, 2, 1]
    assert made.fcn(SHAPE, 5, 6, nn.ReLU)(torch.zeros(2, *SHAPE)).shape == (2, 5, 16, 16)


def test_a_detector_expects_an_object_at_one_place_in_a_hundred() -> None:
    model = made.detector(SHAPE, 9, 5, nn.ReLU)
    head = model[-1]
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    assert head.bias[:5].sigmoid().tolist() == pytest.approx([0.01] * 5, rel=1e-5)
    assert head.bias[5:].abs().max().item() <= 1 / math.sqrt(32 * 9)  # torch's default
    assert model(torch.zeros(2, *SHAPE)).shape == (2, 9, 8, 8)


@pytest.mark.parametrize("normed", [False, True])
def test_a_block_adds_its_branch_and_is_activated(normed: bool) -> None:
    block = made.Block(4, nn.ReLU, normed=normed).eval()
    x = torch.randn(2, 4, 6, 6)
    scale = 1 / math.sqrt(1 + 1e-5) if normed else 1.0  # batch norm with its first statistics
    branch = scale * block.second(F.relu(scale * block.first(x)))
    assert torch.allclose(block(x), F.relu(x + branch), atol=1e-5)


def test_a_block_of_the_transformer_is_torchs_encoder_layer() -> None:
    ours = made.Transformer(16, 4, nn.ReLU)
    theirs = nn.TransformerEncoderLayer(16, 4, 32, 0.0, "relu", batch_first=True, norm_first=True)
    pairs = {
        "self_attn.in_proj_weight": ours.qkv.weight, "self_attn.in_proj_bias": ours.qkv.bias,
        "self_attn.out_proj.weight": ours.proj.weight, "self_attn.out_proj.bias": ours.proj.bias,
        "linear1.weight": ours.mlp[0].weight, "linear1.bias": ours.mlp[0].bias,
        "linear2.weight": ours.mlp[2].weight, "linear2.bias": ours.mlp[2].bias,
        "norm1.weight": ours.norm1.weight, "norm1.bias": ours.norm1.bias,
        "norm2.weight": ours.norm2.weight, "norm2.bias": ours.norm2.bias,
    }  # fmt: skip
    theirs.load_state_dict({name: one.detach() for name, one in pairs.items()})
    x = torch.randn(3, 7, 16)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_the_vision_transformer_reads_patches_with_positions() -> None:
    model = made.VisionTransformer(SHAPE, 10, 2, nn.GELU)
    assert model.position.shape == (1, 64, 64)
    x = torch.randn(2, *SHAPE)
    patches = F.unfold(x, 4, stride=4).mT @ model.embed.weight.flatten(1).T + model.embed.bias
    tokens = model.blocks(patches + model.position)
    assert torch.allclose(model(x), model.head(model.norm(tokens).mean(1)), atol=1e-5)
    assert made.VisionTransformer((1, 14, 14), 10, 1, nn.GELU).position.shape == (1, 49, 64)


@pytest.mark.parametrize("side", [16, 17, 22])
def test_the_unet_answers_at_every_pixel(side: int) -> None:
    model = made.unet((3, side, side), 5, 2, nn.ReLU)
    assert model(torch.zeros(2, 3, side, side)).shape == (2, 5, side, side)
    down = conv(3, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32) + conv(32, 64) + conv(64, 64)
    up = conv(64, 32, 2) + conv(32, 16, 2) + conv(64, 32) + conv(32, 32) + conv(32, 16) + conv(16, 16)
    assert count(model) == down + up + conv(16, 5, 1)


def test_the_sine_is_one() -> None:
    x = torch.linspace(-9, 9, 50)
    assert torch.equal(made.Sine()(x), x.sin())
