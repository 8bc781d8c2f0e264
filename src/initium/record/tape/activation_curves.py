"""Activations as they are: what the pointwise operations after a weight or a norm make of a grid of numbers.

Beside the data a run carries a grid from the output of every weight and norm on. Whatever is composed of pointwise
operations, `x * sigmoid(x)`, `torch.where`, a learned slope, is then known by what it does, and no name is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from initium.record.tape import ops
from initium.record.tape.dropout_noise import Noise
from initium.record.tape.node import View

GRID = torch.linspace(-16.0, 16.0, 6401, dtype=torch.float64, device="cpu")
"""Arguments at which every activation is known: 200 to a unit, far beyond what a start sends through it."""

CHANNELS = 256
"""Places at which an operation with parameters is looked at; a position table has 100,000, and all act alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A value as a function of the output of one weight or norm.

    Args:
        origin: node of that output.
        values: the value where the output is `GRID`; the mean over channels where they differ, and over noise.
        noisy: whether noise that the run drew, as of dropout, made it differ from that.
        window: the part of the output that it is a function of; None for all of it.
    """

    origin: int
    values: Tensor
    noisy: bool = False
    window: View | None = None


class Curves:
    """The curves of one run, node by node."""

    def __init__(self) -> None:
        self.known: dict[int, Curve] = {}
        self._made: dict[object, Tensor | None] = {}

    def begin(self, node: int) -> None:
        """The output of a weight or a norm: the grid itself."""
        self.known[node] = Curve(node, GRID)

    def follow(
        self, node: int, name: str, category: str, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any],
        sources: Mapping[int, tuple[int, View | None]],
    ) -> None:  # fmt: skip
        """Carry the grid through one operation, if it is pointwise in the values of one of them.

        Args:
            node: of its output.
            name: of the operation.
            category: of the operation.
            func: the operation itself.
            args: its arguments.
            kwargs: its keyword arguments.
            sources: id of each data tensor among the arguments -> its node, and what it sees of it, if but a part.
        """
        curves = {key: self._seen(*source) for key, source in sources.items()}
        known = [curve for curve in curves.values() if curve is not None]
        # Two roots, or two parts of one, are independent: no function of a single number describes the result.
        if not known or len(known) < len(curves) or len({(one.origin, one.window) for one in known}) > 1:
            return
        values: Tensor | None = None
        if category in ("copy", "pool") and name not in ops.CHOOSING:
            # A copy of several values may interleave them.
            values = known[0].values if len({source for source, _ in sources.values()}) == 1 else None
        # torch marks its pointwise operations; activations such as glu it does not.
        elif category == "activation" or torch.Tag.pointwise in getattr(func, "tags", ()):
            inputs = {key: curve.values for key, curve in curves.items() if curve is not None}
            values = self._applied(func, args, kwargs, inputs)
        if values is not None:
            noisy = any(curve.noisy for curve in known)
            self.known[node] = Curve(known[0].origin, values, noisy, known[0].window)

    def _seen(self, node: int, window: View | None) -> Curve | None:
        """The curve of a value, or of a part of one; none is kept for a part of a part."""
        curve = self.known.get(node)
        if window is None or curve is None:
            return curve
        # Strides of a part of a part would have to be composed; GLUs and gates need one level only.
        return replace(curve, window=window) if curve.window is None else None

    def blur(self, node: int, category: str, source: int, window: View | None, noise: Noise) -> None:
        """Carry the grid through random factors, or random terms without mean: on average a factor alone is left."""
        before = self._seen(source, window)
        if before is None or not (category in ("mul", "copy") or (category == "add" and noise.mean == 0.0)):
            return
        # Added noise without mean leaves the mean of the function as it is.
        factor = 1.0 if category == "add" else noise.mean
        values = before.values if factor == 1.0 else before.values * factor
        self.known[node] = replace(before, values=values, noisy=True)

    def _applied(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Mapping[int, Tensor]
    ) -> Tensor | None:
        plain = all(not isinstance(arg, Tensor) or id(arg) in inputs for arg in (*args, *kwargs.values()))
        # The values of other tensors are no part of the key, so the result cannot be kept.
        if not plain:
            return _apply(func, args, kwargs, inputs)
        words = [id(inputs[id(arg)]) if isinstance(arg, Tensor) else repr(arg) for arg in args]
        key = (func, *words, *(f"{word}={value!r}" for word, value in kwargs.items()))
        if key not in self._made:
            self._made[key] = _apply(func, args, kwargs, inputs)
        return self._made[key]


def _apply(
    func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], inputs: Mapping[int, Tensor]
) -> Tensor | None:
    """The operation on grids in place of data; None where it refuses them or does not treat samples alike."""
    data = [arg for arg in args if isinstance(arg, Tensor) and id(arg) in inputs]
    rank = max(arg.dim() for arg in data)
    others = [arg for arg in args if isinstance(arg, Tensor) and id(arg) not in inputs]
    if any(arg.is_meta or not _serves_every_sample(arg, rank) for arg in others):
        return None
    places = torch.broadcast_shapes(*(arg.shape for arg in others))  # type: ignore[no-untyped-call]
    steps = _steps(places)

    def swapped(arg: Any) -> Any:
        if not isinstance(arg, Tensor):
            return arg
        if id(arg) in inputs:
            column = inputs[id(arg)].reshape(-1, *[1] * (rank - 1))
            # In the shape of the result: some operations write into the place of their argument.
            shape = torch.broadcast_shapes(column.shape, *(_thinned(one, steps).shape for one in others))  # type: ignore[no-untyped-call]
            return column.expand(shape).clone()
        # On the CPU and in double precision, where the grid is, whatever the model runs in.
        few = _thinned(arg.detach(), steps)
        return few.to("cpu", torch.float64 if arg.is_floating_point() else arg.dtype)

    try:
        with torch.no_grad():
            out = func(*tree_map(swapped, tuple(args)), **tree_map(swapped, dict(kwargs)))
    # Whatever an operation refuses is no pointwise function of the grid: no curve is an answer, not a fault.
    except (RuntimeError, TypeError, NotImplementedError):
        return None
    out = out[0] if isinstance(out, tuple) else out
    if not isinstance(out, Tensor) or out.dim() < 1 or out.shape[0] != len(GRID):
        return None
    out = out.reshape(len(GRID), -1)
    return out[:, 0].clone() if not out.is_floating_point() else out.double().mean(1)


def _steps(shape: Sequence[int]) -> tuple[int, ...]:
    """For every axis every how many places are looked at, so that no more than `CHANNELS` are left in all."""
    left = list(shape)
    while math.prod(left) > CHANNELS:
        axis = left.index(max(left))
        left[axis] = -(-left[axis] // 2)
    return tuple(-(-whole // few) if few else 1 for whole, few in zip(shape, left, strict=True))


def _thinned(tensor: Tensor, steps: tuple[int, ...]) -> Tensor:
    """Some places of a tensor that is broadcast to the axes of `steps`, the last of which is its own last."""
    own = steps[len(steps) - tensor.dim() :]
    return tensor[tuple(slice(None, None, step) for step in own)]


def _serves_every_sample(tensor: Tensor, rank: int) -> bool:
    """Whether a parameter or constant has no axis for the samples of data of that rank."""
    return tensor.dim() < rank or (tensor.dim() == rank and tensor.shape[0] == 1)
