"""Layers of every kind, as torch modules with inputs, for the tests of fans and methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from initium.methods.kit.module_layer import layer_of
from initium.theory.layer import Layer


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], nn.Module]
    sizes: tuple[int, ...]  # shape of one input batch
    sized: bool = True  # whether input_size is told, so that padding is counted

    def module(self) -> nn.Module:
        return self.make()

    def layer(self) -> Layer:
        layer = layer_of(self.make())
        return replace(layer, input_size=self.sizes[2:]) if self.sized and len(self.sizes) > 2 else layer

    def input(self, generator: torch.Generator) -> Tensor:
        return torch.randn(self.sizes, generator=generator)


CASES = (
    Case("linear", lambda: nn.Linear(48, 96, bias=False), (64, 48)),
    Case("linear_narrowing", lambda: nn.Linear(96, 24, bias=False), (64, 96)),
    Case("conv1d", lambda: nn.Conv1d(12, 20, 5, bias=False), (8, 12, 40)),
    Case("conv2d", lambda: nn.Conv2d(12, 20, 3, bias=False), (4, 12, 16, 16)),
    Case("conv2d_padded", lambda: nn.Conv2d(8, 16, 5, padding=2, bias=False), (16, 8, 7, 7)),
    Case("conv2d_dilated", lambda: nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False), (16, 8, 9, 9)),
    Case("conv2d_strided", lambda: nn.Conv2d(12, 24, 3, stride=2, padding=1, bias=False), (8, 12, 15, 15)),
    Case("conv2d_patch", lambda: nn.Conv2d(3, 64, 8, stride=8, bias=False), (8, 3, 32, 32)),
    Case("conv2d_hop", lambda: nn.Conv2d(8, 16, 2, stride=3, bias=False), (8, 8, 17, 17)),
    Case("conv2d_grouped", lambda: nn.Conv2d(16, 32, 3, groups=4, bias=False), (8, 16, 12, 12)),
    Case("depthwise", lambda: nn.Conv2d(48, 48, 3, groups=48, padding=1, bias=False), (8, 48, 14, 14)),
    Case("depthwise_mult", lambda: nn.Conv2d(24, 48, 5, groups=24, bias=False), (8, 24, 14, 14)),
    Case("conv3d", lambda: nn.Conv3d(6, 10, 3, padding=1, bias=False), (2, 6, 6, 7, 8)),
    Case("transposed", lambda: nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1, bias=False), (8, 24, 8, 8)),
    Case(
        "transposed_grouped",
        lambda: nn.ConvTranspose1d(16, 24, 3, stride=2, groups=4, output_padding=1, bias=False),
        (16, 16, 12),
    ),
    Case("transposed3d", lambda: nn.ConvTranspose3d(8, 6, 2, stride=2, bias=False), (2, 8, 4, 4, 4)),
)


def forward_backward(module: nn.Module, x: Tensor, generator: torch.Generator) -> tuple[float, float]:
    """Mean square of the output for input x, and of the input gradient for a unit output gradient."""
    x = x.detach().requires_grad_()
    y = module(x)
    dz = torch.randn(y.shape, generator=generator)
    (dx,) = torch.autograd.grad(y, x, dz)
    return (y.square().mean() / x.square().mean()).item(), (dx.square().mean() / dz.square().mean()).item()
