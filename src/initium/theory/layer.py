"""The geometry of one use of one weight: what a fan, a method or a plan needs to know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["linear", "conv", "conv_transpose", "embedding", "vector", "other"]
"""`linear`: y = W x. `conv`, `conv_transpose`: 1-3 spatial axes. `embedding`: rows looked up.
`vector`: biases, norm gains and shifts, layer scales, tokens. `other`: used by an opaque operation."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One weight as one operation uses it; plain data, no module and no tensor.

    Args:
        kind: what kind of operation uses the weight.
        shape: shape of the weight tensor, in its own axis order.
        out_axis: axis of `shape` that runs over outputs (per group for a transposed convolution).
        in_axis: axis of `shape` that runs over inputs (per group for a convolution).
        groups: channel groups of a convolution.
        stride: one per spatial axis; empty for kinds without.
        padding: zeros added on each side, one per spatial axis.
        dilation: one per spatial axis.
        output_padding: of a transposed convolution.
        input_size: spatial size of the input if known; () means unknown.
        blocks: sizes of independent blocks packed along `out_axis` (packed q, k, v: (d, d, d)); () means one.
    """

    kind: Kind
    shape: tuple[int, ...]
    out_axis: int = 0
    in_axis: int = 1
    groups: int = 1
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    output_padding: tuple[int, ...] = ()
    input_size: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()

    @property
    def kernel(self) -> tuple[int, ...]:
        """Kernel sides: the axes of `shape` that are neither inputs nor outputs."""
        if self.kind == "vector":
            return ()
        skip = {self.out_axis % len(self.shape), self.in_axis % len(self.shape)}
        return tuple(n for axis, n in enumerate(self.shape) if axis not in skip)

    @property
    def receptive(self) -> int:
        """Number of taps of the kernel (1 for a linear layer)."""
        return math.prod(self.kernel)

    @property
    def transposed(self) -> bool:
        """Whether this is a transposed convolution."""
        return self.kind == "conv_transpose"

    @property
    def num_in(self) -> int:
        """Input channels of the whole layer, all groups together."""
        if self.kind == "vector":
            return 1
        return self.shape[self.in_axis] * (1 if self.transposed else self.groups)

    @property
    def num_out(self) -> int:
        """Output channels of the whole layer, all groups together."""
        if self.kind == "vector":
            return math.prod(self.shape)
        return self.shape[self.out_axis] * (self.groups if self.transposed else 1)
