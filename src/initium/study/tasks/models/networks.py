"""The standard networks: plain modules that start as torch starts its layers."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shape = tuple[int, int, int]
Activation = Callable[[], nn.Module]

PRIOR_OF_AN_OBJECT = 0.01
"""Share of places that a detector expects an object at, before it has seen any (Lin et al. 2017)."""


class Sine(nn.Module):
    """The sine, as an activation."""

    def forward(self, x: Tensor) -> Tensor:
        """Sin x, elementwise."""
        return torch.sin(x)


def mlp(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """`depth` fully connected layers of width 64."""
    sizes = [math.prod(shape), *[64] * (depth - 1), outputs]
    layers: list[nn.Module] = [nn.Flatten()]
    for num_in, num_out in pairwise(sizes):
        layers += [nn.Linear(num_in, num_out), activation()]
    return nn.Sequential(*layers[:-1])


def cnn(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """`depth - 1` convolutions, the first of them halving the picture to 14 x 14 or less, and a classifier."""
    widths = [shape[0], *[16] * (depth - 1)]
    halved = range(1, 1 + max(1, round(math.log2(min(shape[1:]) / 8))))
    layers: list[nn.Module] = []
    for index, (num_in, num_out) in enumerate(pairwise(widths)):
        layers += [_conv(num_in, num_out, 2 if index in halved else 1), activation()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 16, outputs))


def fcn(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """`depth` convolutions at half the size of the picture; the second half of them see wider through dilation."""
    layers: list[nn.Module] = []
    for index in range(depth - 1):
        dilation = 1 if index < depth // 2 else 2
        num_in = shape[0] if index == 0 else 24
        stride = 2 if index == 0 else 1
        layers += [nn.Conv2d(num_in, 24, 3, stride, padding=dilation, dilation=dilation), activation()]
    return nn.Sequential(*layers, nn.Conv2d(24, outputs, 1))


def detector(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """`depth` convolutions to a quarter of the size; class biases expect few objects, boxes one stride around."""
    layers: list[nn.Module] = []
    for index in range(depth - 1):
        num_in = shape[0] if index == 0 else 32
        layers += [_conv(num_in, 32, 2 if index in (0, 2) else 1), activation()]
    head = _conv(32, outputs, 1)
    if head.bias is not None:
        nn.init.constant_(head.bias[: outputs - 4], -math.log((1 - PRIOR_OF_AN_OBJECT) / PRIOR_OF_AN_OBJECT))
    return nn.Sequential(*layers, head)


def _conv(num_in: int, num_out: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, stride=stride, padding=1)


class Block(nn.Module):
    """Two convolutions added to what they were given, with or without batch normalization."""

    def __init__(self, width: int, activation: Activation, *, normed: bool) -> None:
        super().__init__()
        norm = (lambda: nn.BatchNorm2d(width)) if normed else nn.Identity
        self.first, self.first_norm = _conv(width, width, 1), norm()
        self.second, self.second_norm = _conv(width, width, 1), norm()
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        """The sum of x and its branch, activated."""
        branch = self.second_norm(self.second(self.act(self.first_norm(self.first(x)))))
        return self.act(x + branch)  # type: ignore[no-any-return]


def _residual(shape: Shape, outputs: int, depth: int, activation: Activation, *, normed: bool) -> nn.Module:
    blocks = [Block(16, activation, normed=normed) for _ in range((depth - 2) // 2)]
    stem = [_conv(shape[0], 16, 2), activation()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * 16, outputs))


def resnet(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """A stem, residual blocks of two convolutions without normalization, a classifier."""
    return _residual(shape, outputs, depth, activation, normed=False)


def normed_resnet(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """The same with batch normalization after every convolution of a block."""
    return _residual(shape, outputs, depth, activation, normed=True)


class Transformer(nn.Module):
    """One block of a vision transformer: attention, then a perceptron, both on normalized input and added."""

    def __init__(self, width: int, heads: int, activation: Activation) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), activation(), nn.Linear(2 * width, width))

    def forward(self, x_BTC: Tensor) -> Tensor:
        """The tokens, attended to and transformed."""
        batch, tokens, width = x_BTC.shape
        packed = self.qkv(self.norm1(x_BTC)).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value)
        x_BTC = x_BTC + self.proj(seen.transpose(1, 2).reshape(batch, tokens, width))
        return x_BTC + self.mlp(self.norm2(x_BTC))  # type: ignore[no-any-return]


class VisionTransformer(nn.Module):
    """Patches as tokens with learned positions, blocks, the mean token classified."""

    def __init__(self, shape: Shape, outputs: int, depth: int, activation: Activation) -> None:
        super().__init__()
        patch = 2 if min(shape[1:]) < 20 else 4
        width = 64
        self.embed = nn.Conv2d(shape[0], width, patch, stride=patch)
        num_tokens = (shape[1] // patch) * (shape[2] // patch)
        self.position = nn.Parameter(torch.randn(1, num_tokens, width) * 0.02)
        self.blocks = nn.Sequential(*[Transformer(width, 4, activation) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of pictures (N, C, H, W)."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(tokens)).mean(dim=1))  # type: ignore[no-any-return]


def vit(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """A vision transformer of `depth` blocks and width 64."""
    return VisionTransformer(shape, outputs, depth, activation)


class UNet(nn.Module):
    """Halving convolutions down, transposed convolutions up, what was seen on the way down joined in."""

    def __init__(self, shape: Shape, outputs: int, depth: int, activation: Activation) -> None:
        super().__init__()
        widths = [16 * 2**level for level in range(depth + 1)]
        self.stem = _double(shape[0], widths[0], activation)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(_double(few, many, activation) for few, many in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(many, few, 2, stride=2) for few, many in reversed(pairs))
        self.join = nn.ModuleList(_double(2 * few, few, activation) for few, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K, H, W) of pictures (N, C, H, W)."""
        seen = [self.stem(x)]
        for down in self.down:
            seen.append(down(F.max_pool2d(seen[-1], 2)))
        here = seen.pop()
        for up, join in zip(self.up, self.join, strict=True):
            skip = seen.pop()
            wide = F.interpolate(up(here), skip.shape[-2:]) if skip.shape[-1] % 2 else up(here)
            here = join(torch.cat([skip, wide], dim=1))
        return self.head(here)  # type: ignore[no-any-return]


def unet(shape: Shape, outputs: int, depth: int, activation: Activation) -> nn.Module:
    """A U-Net that halves the picture `depth` times."""
    return UNet(shape, outputs, depth, activation)


def _double(num_in: int, num_out: int, activation: Activation) -> nn.Module:
    return nn.Sequential(_conv(num_in, num_out, 1), activation(), _conv(num_out, num_out, 1), activation())
