"""Fans: how many terms add up in one output, and in one input gradient, of a layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from initium.errors import UsageError
from initium.theory.layer import Layer


@dataclass(frozen=True, slots=True)
class Fans:
    """The two numbers that tie the variance of a weight to the variance of a signal.

    For inputs of mean square `E x^2` and weights of mean zero and variance `v`:
    `Var z = fan_in * v * E x^2` forward, `Var dx = fan_out * v * E dz^2` backward.

    Args:
        fan_in: mean number of terms in one output element.
        fan_out: mean number of terms in the gradient of one input element.
    """

    fan_in: float
    fan_out: float

    @property
    def mean(self) -> float:
        """Arithmetic mean of both (Glorot)."""
        return (self.fan_in + self.fan_out) / 2

    @property
    def geometric(self) -> float:
        """Geometric mean of both."""
        return math.sqrt(self.fan_in * self.fan_out)


def fans(layer: Layer, *, padding: bool = True) -> Fans:
    """The effective fans of a layer: groups, stride, dilation, transposition and padding counted.

    A convolution of stride s reads each input only rf/prod(s) times, which torch.nn.init ignores; a
    transposed convolution swaps the roles; a group sees only its own channels. When `input_size`
    is known, taps that fall on padding are counted out exactly, on average over positions.

    Args:
        layer: the weight and the operation that uses it.
        padding: count taps on padding out where `input_size` is known.

    Returns:
        The effective `Fans`; for an embedding, (1, width).

    Example:
        >>> fans(Layer("conv", (16, 8, 3, 3), stride=(2, 2)))
        Fans(fan_in=72.0, fan_out=36.0)
    """
    if layer.kind == "vector":
        return Fans(1.0, 1.0)
    if layer.kind == "embedding":
        return Fans(1.0, float(layer.shape[-1]))
    num_in, num_out = layer.num_in / layer.groups, layer.num_out / layer.groups
    if layer.kind == "linear":
        return Fans(float(num_in), float(num_out))
    if layer.kind == "other":
        return Fans(num_in * layer.receptive, num_out * layer.receptive)
    forward, backward = _taps(layer, padding)
    return Fans(num_in * forward, num_out * backward)


def blocks(layer: Layer) -> tuple[Layer, ...]:
    """The independent layers packed in one weight (q, k and v); the layer itself when it is one."""
    if not layer.blocks:
        return (layer,)
    axis = layer.out_axis % len(layer.shape)
    if sum(layer.blocks) != layer.shape[axis]:
        raise UsageError(
            f"blocks {layer.blocks} on axis {axis} of shape {layer.shape}",
            expected=f"sizes that add up to {layer.shape[axis]}",
            remedy="pass the true size of each packed matrix",
        )
    shapes = [tuple(size if i == axis else n for i, n in enumerate(layer.shape)) for size in layer.blocks]
    return tuple(replace(layer, shape=shape, blocks=()) for shape in shapes)


def torch_fans(shape: Sequence[int]) -> tuple[int, int]:
    """torch.nn.init's convention: axis 1 is in, axis 0 is out, everything else multiplies both.

    Wrong for grouped (fan_out), strided (fan_out) and transposed (both) convolutions; kept for the
    drop-in and for comparisons.

    Args:
        shape: shape of the weight, of at least two axes.

    Returns:
        fan_in and fan_out.

    Example:
        >>> torch_fans((16, 8, 3, 3))
        (72, 144)
    """
    if len(shape) < 2:
        raise UsageError(
            f"fans of a tensor of shape {tuple(shape)}",
            expected="at least two axes",
            remedy="use a constant for biases and norm parameters",
        )
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def _taps(layer: Layer, padding: bool) -> tuple[float, float]:
    """Mean number of taps that reach one output and one input position."""
    kernel, rank = layer.kernel, len(layer.kernel)
    strides = layer.stride or (1,) * rank
    if padding and layer.input_size:
        taps = _exact_taps(layer, strides)
        if all(taps):
            return taps
    rf, skipped = float(math.prod(kernel)), math.prod(strides)
    return (rf / skipped, rf) if layer.transposed else (rf, rf / skipped)


def _exact_taps(layer: Layer, strides: Sequence[int]) -> tuple[float, float]:
    """Products over the axes: the grid of positions is separable, so means multiply."""
    rank = len(layer.kernel)
    pads, dilations = layer.padding or (0,) * rank, layer.dilation or (1,) * rank
    extras = layer.output_padding or (0,) * rank
    forward = backward = 1.0
    axes = zip(layer.kernel, strides, pads, dilations, extras, layer.input_size, strict=True)
    for taps, stride, pad, dilation, extra, size in axes:
        reach = dilation * (taps - 1)
        if layer.transposed:  # the convolution that maps the output back to the input
            long, short = (size - 1) * stride - 2 * pad + reach + extra + 1, size
        else:
            long, short = size, (size + 2 * pad - reach - 1) // stride + 1
        if min(long, short) <= 0:
            return 0.0, 0.0
        pairs = _pairs(long, short, taps, stride, pad, dilation)
        ends = (long, short) if layer.transposed else (short, long)
        forward, backward = forward * pairs / ends[0], backward * pairs / ends[1]
    return forward, backward


def _pairs(long: int, short: int, taps: int, stride: int, pad: int, dilation: int) -> int:
    """Number of (position on the short side, tap) whose position on the long side is in range."""
    total = 0
    for tap in range(taps):
        offset = tap * dilation - pad  # reads long index i * stride + offset
        first = max(0, -(offset // stride))
        last = min(short - 1, (long - 1 - offset) // stride)
        total += max(0, last - first + 1)
    return total
