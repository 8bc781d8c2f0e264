"""Whether two operands that are functions of one value read the same units of it, or others, as the halves of a GLU."""

from __future__ import annotations

import math

from initium.record import Record
from initium.record.tape.node import Node, View


def reads_apart(seen: Record, node: Node) -> bool | None:
    """Whether the two operands of a node read different units of one value.

    Returns:
        False where they read it alike, None where they read parts of it that no difference of units tells apart.
    """
    if len(node.operands) != 2:
        return False
    first, second = (_window(seen, view) for view in node.operands)
    one, other = seen.nodes[first.node], seen.nodes[second.node]
    if _is_whole(first, one) and _is_whole(second, other):
        return False
    if (one.shape, one.stride, first.shape) != (other.shape, other.stride, second.shape):
        return None
    # One place and other strides: the same values in another order, of which units alone do not tell.
    if first.offset == second.offset:
        return False if first.stride == second.stride else None
    axis = 1 if len(one.shape) > 3 and one.shape[1] == one.units else len(one.shape) - 1
    if one.shape[axis] != one.units or one.stride[axis] < 1:
        return None
    steps, rest = divmod(abs(first.offset - second.offset), one.stride[axis])
    return True if rest == 0 and steps % one.units else None


def _window(seen: Record, view: View) -> View:
    """The part of an earlier value that an operand is a pointwise function of."""
    node = seen.nodes[view.node]
    while _is_whole(view, node) and len(node.operands) == 1 and node.category in ("activation", "add", "mul"):
        view = node.operands[0]
        node = seen.nodes[view.node]
    return view


def _is_whole(view: View, node: Node) -> bool:
    return view.distinct == math.prod(node.shape)
