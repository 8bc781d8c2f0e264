"""Starts taken from a trained model: selected, inflated and adapted weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.methods.method import MATRICES, Method, Paper


def select_weights(source: Tensor, shape: Sequence[int]) -> Tensor:
    """A smaller weight out of a bigger trained one: evenly spaced indices along every axis.

    Index i of m out of n is round(i (n - 1) / (m - 1)): consistent for tensors of the same width, so
    that channels still fit together. Take the first layers of the bigger model, from the same family.

    Args:
        source: weight of the bigger model.
        shape: wanted shape, nowhere larger than the source.

    Reference: Xu et al. (2023), arXiv:2311.18823.
    """
    if len(shape) != source.dim() or any(m > n for m, n in zip(shape, source.shape, strict=False)):
        raise UsageError(
            f"weight selection of shape {tuple(shape)} from {tuple(source.shape)}",
            expected="the same number of axes, none of them larger than the source's",
            remedy="choose a bigger model of the same family",
        )
    out = source
    for axis, size in enumerate(shape):
        # In fp64: fp32 rounds some positions of wide layers to the neighbour, and widths must agree between tensors.
        index = torch.linspace(0, max(source.shape[axis] - 1, 0), size, dtype=torch.float64).round().long()
        out = out.index_select(axis, index.to(out.device))
    return out.clone()


def adapt_input_channels(weight: Tensor, channels: int) -> Tensor:
    """A trained first convolution for another number of input channels.

    One channel: the sum over the trained ones (a grey image fed to all of them). Otherwise the trained
    channels are tiled and scaled by trained / channels, so the mean response stays.

    Args:
        weight: (out, in, *kernel).
        channels: wanted number of inputs.
    """
    if weight.dim() < 3 or channels < 1:
        raise UsageError(
            f"input adaptation of a weight of shape {tuple(weight.shape)} to {channels} channels",
            expected="a convolution weight (out, in, *kernel) and at least one channel",
            remedy="pass the weight of the first convolution",
        )
    have = weight.shape[1]
    if channels == have:
        return weight.clone()
    if channels == 1:
        # In fp32, since a half-precision checkpoint would round every partial sum.
        return weight.float().sum(1, keepdim=True).to(weight.dtype)
    index = torch.arange(channels, device=weight.device) % have
    return (weight.float().index_select(1, index) * (have / channels)).to(weight.dtype)


def inflate(weight: Tensor, depth: int, *, mode: str = "mean") -> Tensor:
    """A trained 2-D convolution as a 3-D one, (out, in, kh, kw) to (out, in, depth, kh, kw).

    mode="mean" repeats over time and divides by `depth`: a still video gives what the image gave.
    mode="centre" keeps the image's filter in the middle frame, zeros elsewhere.

    Reference: Carreira and Zisserman (2017), arXiv:1705.07750.
    """
    if weight.dim() != 4 or depth < 1 or mode not in ("mean", "centre"):
        raise UsageError(
            f"inflation of a weight of shape {tuple(weight.shape)}, depth {depth}, mode {mode!r}",
            expected='a 2-D convolution weight, depth of at least 1, mode "mean" or "centre"',
            remedy="pass the four-axis weight of a 2-D convolution",
        )
    if mode == "mean":
        return (
            (weight.float()[:, :, None] / depth).expand(-1, -1, depth, -1, -1).contiguous().to(weight.dtype)
        )
    out = weight.new_zeros(*weight.shape[:2], depth, *weight.shape[2:])
    out[:, :, (depth - 1) // 2] = weight
    return out


def tiled_positions(table: Tensor, rows: int, cols: int) -> Tensor:
    """A position table (tokens, width) of a square grid, resized to rows x cols by bicubic interpolation.

    Leading tokens beyond the largest square are kept as they are.
    """
    side = math.isqrt(table.shape[0])
    extra = table.shape[0] - side * side
    grid = table[extra:].float().T.reshape(1, -1, side, side)
    sized = torch.nn.functional.interpolate(grid, (rows, cols), mode="bicubic", antialias=True)
    return torch.cat([table[:extra], sized[0].flatten(1).T.to(table.dtype)])


METHODS = (
    Method(
        "weight_selection",
        "weight_transfer",
        "Evenly spaced weights of a bigger trained model (select_weights).",
        (),
        (*MATRICES, "embedding", "vector"),
        Paper(
            "Xu, Chen, Vishniakov, Yin, Shen, Darrell, Liu, Liu",
            2023,
            "Initializing Models with Larger Ones",
            "2311.18823",
        ),
        None,
        needs="weights",
    ),
    Method(
        "input_adaptation",
        "weight_transfer",
        "A trained stem for another number of channels (adapt_input_channels).",
        (),
        ("conv",),
        Paper("Wightman", 2019, "timm, adapt_input_conv"),
        None,
        needs="weights",
    ),
    Method(
        "inflation",
        "weight_transfer",
        "A trained 2-D convolution as a 3-D one (inflate).",
        (),
        ("conv",),
        Paper("Carreira, Zisserman", 2017, "Quo Vadis, Action Recognition?", "1705.07750"),
        None,
        aliases=("i3d",),
        needs="weights",
    ),
)
