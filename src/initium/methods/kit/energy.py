"""The sum of squares of a weight, and what it makes of the mean square of a signal, forward and backward."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initium.theory.fans import fans
from initium.theory.layer import Layer


@dataclass(frozen=True, slots=True)
class Energy:
    """Expected sum of squares of all elements of a weight, by where in the kernel they lie.

    Args:
        centre: at the centre tap.
        even: spread evenly over the taps.
        uneven: spread otherwise; where padding cuts taps off, its effect is not known.
    """

    centre: float = 0.0
    even: float = 0.0
    uneven: float = 0.0

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.centre + other.centre, self.even + other.even, self.uneven + other.uneven)


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean square out over mean square in, for independent inputs of zero mean, and the same for gradients."""

    forward: float
    backward: float


def effect_of(energy: Energy, layer: Layer) -> Effect | None:
    """What a weight of that energy does in its layer; None where the energy alone does not determine it."""
    if layer.kind not in ("linear", "conv", "conv_transpose") or not math.prod(layer.shape):
        return None
    # At a padded border some taps read zeros; only for energy that lies evenly, or at the centre, is the loss known.
    if energy.uneven and any(layer.padding):
        return None
    both, ratio = fans(layer), positions(layer)
    mean = energy.even / math.prod(layer.shape)
    # Every linear map of a stack (experts of a mixture) has its own share of the energy.
    stack = layer.receptive if layer.kind == "linear" else 1
    whole = (energy.centre + energy.uneven) / stack
    # By one tap an output position reads one input position, so of the inputs only as many as there are outputs get a
    # gradient; transposed, of the outputs only as many as there are inputs get a signal.
    forward, backward = whole / layer.num_out, whole / layer.num_in
    if layer.transposed:
        forward /= ratio
    else:
        backward *= ratio
    return Effect(forward + both.fan_in * mean, backward + both.fan_out * mean)


def positions(layer: Layer) -> float:
    """Output positions over input positions of a convolution; 1 / stride on each axis where the size is not known."""
    if layer.kind == "linear":
        return 1.0
    rank = len(layer.kernel)
    stride, dilation = layer.stride or (1,) * rank, layer.dilation or (1,) * rank
    padding, extra = layer.padding or (0,) * rank, layer.output_padding or (0,) * rank
    if not layer.input_size:
        return float(math.prod(stride)) ** (1 if layer.transposed else -1)
    ratio = 1.0
    for size, k, s, d, p, more in zip(
        layer.input_size, layer.kernel, stride, dilation, padding, extra, strict=True
    ):
        reach = d * (k - 1) + 1
        out = (size - 1) * s - 2 * p + reach + more if layer.transposed else (size + 2 * p - reach) // s + 1
        ratio *= out / size
    return ratio
