"""Uses: which operation takes which parameter, as what, and along which axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from initium.record.tape import ops
from initium.theory.layer import Layer

How = Literal["weight", "bias", "gain", "shift", "scale", "add", "token", "opaque"]
"""`weight`: contracted with data. `bias`: added by the weighted operation itself. `gain`, `shift`: of a norm.
`scale`, `add`: multiplied or added elsewhere. `token`: concatenated or used as data. `opaque`: taken by an
operation in no table."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One tensor argument and the parameters behind it, if it is computed from parameters alone."""

    tensor: Tensor
    params: tuple[str, ...] = ()
    direct: bool = False
    standardized: bool = False
    base_shape: tuple[int, ...] = ()
    base_stride: tuple[int, ...] = ()
    contracted: bool = False
    channels: tuple[int, int] | None = None

    @property
    def pure(self) -> bool:
        """Whether parameters alone are behind it."""
        return bool(self.params)


@dataclass(frozen=True, slots=True)
class Use:
    """One parameter (or several that were combined into one operand) taken by one operation.

    Args:
        names: parameters behind the operand.
        node: index of the operation.
        how: as what it is taken.
        layer: geometry, for weights.
        direct: the operand is the parameter itself or a view of it, not a value computed from it.
        standardized: the scale is taken out on the way (weight standardization, weight norm).
        rows: part of the output axis that this use covers, as (start, stop); () means all.
        axis: of the output, along which the units of a weight lie.
        mixes: the sum runs over positions of the signal, such as the patches of a mixer, and not over its units.
    """

    names: tuple[str, ...]
    node: int
    how: How
    layer: Layer | None = None
    direct: bool = True
    standardized: bool = False
    rows: tuple[int, ...] = ()
    axis: int = -1
    mixes: bool = False


def uses_of(name: str, node: int, args: Sequence[Any], operands: Sequence[Operand]) -> list[Use]:
    """Every use of a parameter by one operation."""
    by_id = {id(operand.tensor): operand for operand in operands}

    def operand(position: int) -> Operand | None:
        value = args[position] if position < len(args) else None
        return by_id.get(id(value)) if isinstance(value, Tensor) else None

    if name in ops.CONVOLUTIONS:
        return _convolution(name, node, args, operand)
    if name in ops.MATMULS:
        return _matmul(name, node, operand)
    if name in ops.LOOKUPS:
        table = operand(0)
        return [_use(table, node, "weight", _lookup(table))] if table and table.pure else []
    if name in ops.NORMS:
        return _norm(node, operands)
    category = ops.categorize(name)
    how: How = {"mul": "scale", "add": "add", "concat": "token"}.get(category, "opaque")  # type: ignore[assignment]
    return [_use(one, node, how) for one in operands if one.pure]


def _use(
    operand: Operand,
    node: int,
    how: How,
    layer: Layer | None = None,
    rows: tuple[int, ...] = (),
    axis: int = -1,
    mixes: bool = False,
) -> Use:
    return Use(operand.params, node, how, layer, operand.direct, operand.standardized, rows, axis, mixes)


def _lookup(table: Operand) -> Layer:
    return Layer("embedding", tuple(table.tensor.shape), out_axis=1, in_axis=0)


def _convolution(name: str, node: int, args: Sequence[Any], operand: Any) -> list[Use]:
    uses = []
    weight = operand(1)
    if weight and weight.pure:
        layer = _deformable(args) if ops.is_deformable(name) else _conv_layer(args)
        uses.append(_use(weight, node, "weight", layer, axis=1))
    bias = operand(ops.bias_place(name))
    if bias and bias.pure:
        uses.append(_use(bias, node, "bias"))
    data = operand(0)
    if data and data.pure:
        uses.append(_use(data, node, "token"))
    return uses


def _conv_layer(args: Sequence[Any]) -> Layer:
    data, weight = args[0], args[1]
    stride, padding, dilation, transposed, output_padding, groups = args[3:9]
    num_axes = weight.dim() - 2
    return Layer(
        "conv_transpose" if transposed else "conv",
        tuple(weight.shape),
        out_axis=1 if transposed else 0,
        in_axis=0 if transposed else 1,
        groups=groups,
        stride=_per_axis(stride, num_axes),
        padding=_per_axis(padding, num_axes),
        dilation=_per_axis(dilation, num_axes),
        output_padding=_per_axis(output_padding, num_axes) if transposed else (),
        input_size=tuple(data.shape[-num_axes:]) if num_axes else (),
    )


def _deformable(args: Sequence[Any]) -> Layer:
    weight = args[1]
    stride, padding, dilation = args[5:7], args[7:9], args[9:11]
    return Layer(
        "conv", tuple(weight.shape), groups=args[11], stride=tuple(stride), padding=tuple(padding),
        dilation=tuple(dilation), input_size=tuple(args[0].shape[-2:]),
    )  # fmt: skip


def _per_axis(values: Sequence[int], num_axes: int) -> tuple[int, ...]:
    return tuple(values) * num_axes if len(values) == 1 else tuple(values)


def _matmul(name: str, node: int, operand: Any) -> list[Use]:
    has_bias = name in ops.BIAS_FIRST
    left, right = (operand(1), operand(2)) if has_bias else (operand(0), operand(1))
    bias = operand(0) if has_bias else operand(2) if ops.is_linear(name) else None
    uses = [_use(bias, node, "bias")] if bias and bias.pure else []
    if left is None or right is None:
        return uses
    # A product of two parameters is itself no weight: low-rank factors meet before they meet data.
    weight, side = _weight_side(left, right)
    if weight is None:
        return uses + [_use(one, node, "token") for one in (left, right) if one.pure]
    other = left if weight is right else right
    contraction = -1 if side == "left" or ops.is_linear(name) else max(weight.tensor.dim() - 2, 0)
    layer, rows = _linear_layer(weight, contraction)
    axis = -2 if side == "left" else -1
    uses.append(_use(weight, node, "weight", layer, rows, axis, _mixes(other, axis)))
    return uses + ([_use(other, node, "token")] if other.pure else [])


def _mixes(data: Operand, axis: int) -> bool:
    """Whether the units of the data lie along another axis than the one that is summed over."""
    if data.channels is None or data.tensor.dim() < 2:
        return False
    units, apart = data.channels
    size, step = data.tensor.shape[axis], data.tensor.stride(axis)
    return units > 1 and size > 1 and (size * step <= apart or step >= units * apart)


def _weight_side(left: Operand, right: Operand) -> tuple[Operand | None, str]:
    """Which operand of a product is its weight: one not itself a product of parameters; the right one of two."""
    if right.pure and not right.contracted:
        return right, "right"
    if left.pure and not left.contracted:
        return left, "left"
    return None, ""


def _linear_layer(weight: Operand, contraction: int) -> tuple[Layer, tuple[int, ...]]:
    """The layer of a weight operand whose axis `contraction` is summed over, in the axis order of the parameter."""
    tensor, shape, stride = weight.tensor, weight.base_shape, weight.base_stride
    matches = _contracted(weight, contraction)
    if len(shape) < 2 or not matches:
        return _plain_layer(tensor, contraction), ()
    in_axis = matches[0]
    others = [a for a in range(len(shape)) if a != in_axis]
    # Of the axes that are left a head or block axis is shorter than that of the units.
    out_axis = max(others, key=lambda a: shape[a])
    covered = tensor.numel() // max(tensor.shape[contraction], 1)
    whole = math.prod(shape[a] for a in others)
    rows: tuple[int, ...] = ()
    if covered < whole and len(shape) == 2 and stride[out_axis] > 0:
        # A block of packed projections begins some rows into its parameter.
        start = int(tensor.storage_offset()) // stride[out_axis]
        rows = (start, start + covered)
    return Layer("linear", shape, out_axis=out_axis, in_axis=in_axis), rows


def _contracted(weight: Operand, contraction: int) -> list[int]:
    """The axes of the parameter that an axis of the operand may be."""
    tensor, shape = weight.tensor, weight.base_shape
    size, inner = tensor.shape[contraction], tensor.stride(contraction)
    # torch may give an axis of one element any stride.
    if size == 1 and tensor.numel() == math.prod(shape):  # its stride tells nothing
        return [axis for axis in range(len(shape)) if shape[axis] == 1][-1:]
    return [
        axis
        for axis in range(len(shape))
        if weight.base_stride[axis] == inner and shape[axis] >= size and shape[axis] > 1
    ]


def _plain_layer(tensor: Tensor, contraction: int) -> Layer:
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        return Layer("vector", shape)
    in_axis = contraction % len(shape)
    out_axis = len(shape) - 1 if in_axis != len(shape) - 1 else len(shape) - 2
    return Layer("linear", shape, out_axis=out_axis, in_axis=in_axis)


def _norm(node: int, operands: Sequence[Operand]) -> list[Use]:
    """The first parameter of a norm is its gain, the next its shift, by the order of its arguments."""
    pure = [one for one in operands if one.pure]
    # Three of them: the normalized value is a parameter, too, as learned queries are.
    hows: tuple[How, ...] = ("gain", "shift") if len(pure) < 3 else ("token", "gain", "shift")
    return [_use(one, node, how) for one, how in zip(pure, hows, strict=False)]
