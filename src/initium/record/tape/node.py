"""One operation on data, as a record keeps it: plain data without tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initium.record.tape import ops
from initium.record.tape.dropout_noise import Noise
from initium.record.tape.moments import Moments

LARGEST_EPSILON = 0.1
"""From here on the last number of a norm is no epsilon but a count or a momentum."""


@dataclass(frozen=True, slots=True)
class View:
    """How an operation saw one operand: the node behind it and the strided window onto that node's storage."""

    node: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @property
    def numel(self) -> int:
        """Number of elements of the operand."""
        return math.prod(self.shape)

    @property
    def distinct(self) -> int:
        """Number of elements that are not repeated by expansion (stride 0)."""
        return math.prod(side for side, step in zip(self.shape, self.stride, strict=True) if step != 0)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on data.

    Args:
        index: its place in execution order.
        op: name of the operation, without overload and in-place mark ("aten.relu").
        category: what kind of operation it is.
        kind: finer name for activations ("relu") and norms ("batch"); "" otherwise.
        module: path of the module that was executing.
        inputs: nodes that produced its data operands.
        operands: how it saw them.
        shape: of its (first) output.
        stride: of its (first) output, in elements.
        dtype: of its output, as text.
        scalars: numbers among its arguments.
        forward: moments of the output; None where it was not measured.
        backward: moments of the loss gradient at the output; None where no gradient arrived.
        gradient: Euclidean norm of the whole loss gradient at the output; None where none arrived.
        strength: S = sqrt(sum (x dL/dx)^2), how much relative changes of the output's values matter to the loss;
            rescaling a normalized or ReLU layer leaves it as it is; None where no gradient arrived.
        dead: for activations, the share of units that are zero everywhere; None where units are not known.
        units: number of units (channels, features) of the output; 0 where not known.
        saturated: for bounded activations, the share of outputs within 1 % of a bound.
        noise: moments of the random factor that the run drew for every value, as dropout does; None where it drew none.
        unit_error: for weighted operations, the relative variance that the draw of their units leaves to E[x^2].
        mixes: for weighted operations, the sum runs over positions of the signal, such as the patches of a mixer, and
            not over its units.
    """

    index: int
    op: str
    category: ops.Category
    kind: str
    module: str
    inputs: tuple[int, ...]
    operands: tuple[View, ...]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    scalars: tuple[float, ...] = ()
    forward: Moments | None = None
    backward: Moments | None = None
    gradient: float | None = None
    strength: float | None = None
    dead: float | None = None
    saturated: float | None = None
    units: int = 0
    unit_error: float | None = None
    mixes: bool = False
    noise: Noise | None = None

    @property
    def epsilon(self) -> float | None:
        """The epsilon of a norm, the last of its numbers; None where that is none, or where it is no norm."""
        last = self.scalars[-1] if self.category == "norm" and self.scalars else 0.0
        return last if 0 < last < LARGEST_EPSILON else None

    @property
    def inverts(self) -> bool:
        """Whether it takes a reciprocal, perhaps of a root."""
        return self.kind in ops.RECIPROCALS or (ops.is_power(self.kind) and any(x < 0 for x in self.scalars))
