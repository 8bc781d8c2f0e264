"""A layer applied to random data, forward and backward, from its geometry alone."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from initium.theory.layer import Layer


def sized(layer: Layer) -> Layer:
    """The layer with an input size: its own, or 8 on every spatial axis."""
    if layer.input_size or layer.kind == "linear":
        return layer
    return replace(layer, input_size=(8,) * len(layer.kernel))


def signal(weight: Tensor, layer: Layer, generator: torch.Generator) -> tuple[float, float]:
    """Mean square out / in forward, and in / out of a random output gradient backward."""
    x = torch.randn(_input_shape(sized(layer)), generator=generator).requires_grad_()
    z = apply_layer(weight, layer, x)
    dz = torch.randn(z.shape, generator=generator)
    (dx,) = torch.autograd.grad(z, x, dz)
    forward = z.detach().square().mean() / x.detach().square().mean()
    return float(forward), float(dx.square().mean() / dz.square().mean())


def apply_layer(weight: Tensor, layer: Layer, x: Tensor) -> Tensor:
    """What a linear, convolution or transposed convolution layer with this weight makes of x."""
    if layer.kind == "linear":
        matrix = torch.movedim(weight, (layer.in_axis, layer.out_axis), (-2, -1))
        return x @ matrix
    rank = len(layer.kernel)
    stride, dilation = list(layer.stride or (1,) * rank), list(layer.dilation or (1,) * rank)
    padding, extra = list(layer.padding or (0,) * rank), list(layer.output_padding or (0,) * rank)
    return torch.convolution(
        x, weight, None, stride, padding, dilation, layer.transposed, extra, layer.groups
    )


def _input_shape(layer: Layer) -> tuple[int, ...]:
    if layer.kind == "linear":
        return (*layer.kernel, 64, layer.num_in)
    return (4, layer.num_in, *layer.input_size)
