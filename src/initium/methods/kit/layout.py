"""Between a weight's own axis order and the one that structured methods think in.

Canonical order: (groups, out per group, in per group, *kernel). The extra axes of a linear weight
(experts of a mixture) count as groups.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from initium.random.distributions import Built, Constant, Draw
from initium.random.fill import fill_
from initium.random.key import Key
from initium.theory.layer import Layer


@dataclass(frozen=True, slots=True)
class Canonical:
    """Sizes of a layer in canonical order."""

    groups: int
    num_out: int
    num_in: int
    kernel: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole canonical shape."""
        return (self.groups, self.num_out, self.num_in, *self.kernel)

    @property
    def taps(self) -> int:
        """Number of kernel taps."""
        return math.prod(self.kernel)

    @property
    def centre(self) -> tuple[int, ...]:
        """Index of the centre tap; of an even kernel the lower one, (k - 1) // 2."""
        return tuple((side - 1) // 2 for side in self.kernel)


def canonical(layer: Layer) -> Canonical:
    """The sizes of `layer` in canonical order."""
    num_out, num_in = layer.shape[layer.out_axis], layer.shape[layer.in_axis]
    if layer.kind in ("conv", "conv_transpose"):
        if layer.transposed:
            num_in //= layer.groups
        else:
            num_out //= layer.groups
        return Canonical(layer.groups, num_out, num_in, layer.kernel)
    return Canonical(layer.receptive, num_out, num_in, ())


def to_weight(tensor: Tensor, layer: Layer) -> Tensor:
    """A canonical tensor in the axis order and shape of the layer's weight."""
    sizes = canonical(layer)
    out_axis, in_axis = layer.out_axis % len(layer.shape), layer.in_axis % len(layer.shape)
    if layer.kind in ("conv", "conv_transpose"):
        rows = tensor.transpose(1, 2) if layer.transposed else tensor
        plain = rows.reshape(rows.shape[0] * rows.shape[1], *rows.shape[2:])
        return torch.movedim(plain, (0, 1), (in_axis, out_axis) if layer.transposed else (out_axis, in_axis))
    plain = tensor.reshape(*layer.kernel, sizes.num_out, sizes.num_in)
    return torch.movedim(plain, (-2, -1), (out_axis, in_axis))


def built(layer: Layer, build: Callable[[Canonical, Key], Tensor]) -> Draw:
    """A draw that builds the whole weight in canonical order; an empty weight stays empty."""
    return Built(_Build(layer, build), 1.0) if math.prod(layer.shape) else Constant(0.0)


def fixed(values: Sequence[float]) -> Draw:
    """A draw whose elements, in C order, are these numbers."""
    return Built(functools.partial(_fixed, values=tuple(values)))


def _fixed(shape: tuple[int, ...], key: Key, *, values: tuple[float, ...]) -> Tensor:
    del key
    # Through fp64, so that a decimal of a JSON text is rounded once.
    return torch.tensor(values, dtype=torch.float64).float().reshape(shape)


def per_unit(layer: Layer, values: Tensor) -> Tensor:
    """One number a unit (output channel) as a tensor that multiplies the layer's weight."""
    if layer.kind == "vector":
        return values.reshape(layer.shape)
    # The output axis of a grouped transposed convolution holds the outputs of one group: a number for each of them
    # would be shared by units of different groups.
    if layer.transposed and layer.groups > 1:
        sizes = canonical(layer)
        column = values.reshape(sizes.groups, sizes.num_out, *[1] * (1 + len(sizes.kernel)))
        return to_weight(column.expand(sizes.shape), layer)
    sides = [1] * len(layer.shape)
    sides[layer.out_axis] = len(values)
    return values.reshape(sides)


def times_units(draw: Draw, layer: Layer, factors: Sequence[float]) -> Draw:
    """The draw with the weights of unit i multiplied by `factors[i]`."""
    return Built(functools.partial(_times_units, draw=draw, layer=layer, factors=tuple(factors)))


def _times_units(
    shape: tuple[int, ...], key: Key, *, draw: Draw, layer: Layer, factors: tuple[float, ...]
) -> Tensor:
    return drawn(shape, draw, key) * per_unit(layer, torch.tensor(factors, dtype=torch.float32))


def tap(weight: Tensor, index: tuple[int, ...]) -> Tensor:
    """The view (groups, out, in) of a canonical weight at one kernel tap."""
    for position in index:
        weight = weight.select(3, position)
    return weight


def drawn(shape: tuple[int, ...], draw: Draw, key: Key) -> Tensor:
    """A new float32 tensor filled with `draw`."""
    return fill_(torch.empty(shape), draw, key)


@dataclass(frozen=True, slots=True)
class _Build:
    layer: Layer
    build: Callable[[Canonical, Key], Tensor]

    def __call__(self, shape: tuple[int, ...], key: Key) -> Tensor:
        tensor = to_weight(self.build(canonical(self.layer), key), self.layer)
        assert tuple(tensor.shape) == tuple(shape), f"built {tuple(tensor.shape)} for {tuple(shape)}"
        return tensor.contiguous()
