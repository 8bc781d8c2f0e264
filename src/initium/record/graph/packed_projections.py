"""Packed projections: which part of a weight's output feeds queries, which keys, which values.

The windows through which attention reads the projection's output are followed back, element by sampled
element, through copies, to the column of the projection that produced them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from initium.record.graph.graph import Graph
from initium.record.tape.node import View
from initium.record.tape.uses import Use

NUM_PROBES = 48


def blocks_of(
    graph: Graph, uses: Sequence[Use], shape: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """(sizes of the packed blocks, what each is) of a weight that feeds attention; ((), ()) where it does not.

    Blocks are only named where every output column is read by exactly one of them.
    """
    ranges: dict[str, tuple[int, int]] = {}
    for use in uses:
        if use.layer is None or use.layer.kind not in ("linear", "conv"):
            continue
        offset = use.rows[0] if use.rows else 0
        for word, (low, high) in _reads(graph, use).items():
            ranges[word] = (low + offset, high + offset)
    if not ranges:
        return (), ()
    num_out = shape[uses[0].layer.out_axis] if uses[0].layer else 0
    ordered = sorted(ranges.items(), key=lambda item: item[1])
    if len({r for _, r in ordered}) == 1 and len(ordered) > 1:
        return (), ("attention", "attention")  # heads interleave q, k and v: no contiguous blocks
    ends = [0, *(high for _, (_, high) in ordered)]
    starts = [low for _, (low, _) in ordered]
    # Gaps or overlaps: not every output column is exactly one block's.
    if starts != ends[:-1] or ends[-1] != num_out:
        return (), tuple(word for word, _ in ordered)
    sizes = tuple(high - low for _, (low, high) in ordered)
    return (sizes if len(sizes) > 1 else ()), tuple(word for word, _ in ordered)


def _reads(graph: Graph, use: Use) -> dict[str, tuple[int, int]]:
    """Word ("query", "key", "value") -> range of output columns of the projection that attention reads as such."""
    axis = 1 if use.layer is not None and use.layer.kind == "conv" else len(graph.nodes[use.node].shape) - 1
    found: dict[str, tuple[int, int]] = {}
    stack, seen = [use.node], {use.node}
    while stack:
        current = stack.pop()
        for consumer in graph.consumers[current]:
            node = graph.nodes[consumer]
            if node.category in ("attention", "matmul"):
                for word, view in _attention_operands(graph, consumer, current):
                    columns = columns_of(graph, view, use.node, axis)
                    if columns is not None:
                        found[word] = columns
            elif consumer not in seen and _keeps_columns(graph, consumer, use.node):
                seen.add(consumer)
                stack.append(consumer)
    return found


def _keeps_columns(graph: Graph, index: int, origin: int) -> bool:
    """Whether a node maps its one large operand elementwise or by copying (scaling, q and k norms, rotations)."""
    node = graph.nodes[index]
    if node.category == "copy" or graph.is_transparent(index):
        return True
    if node.category == "add":  # a rotation adds two products of one value
        return all(graph.ancestors[one] >> origin & 1 for one in node.inputs)
    return node.category in ("norm", "mul") and len(set(node.inputs)) == 1


def _attention_operands(graph: Graph, index: int, source: int) -> list[tuple[str, View]]:
    node = graph.nodes[index]
    words: tuple[str, ...]
    if node.category == "attention":
        words = ("query", "key", "value")
    elif "softmax" in graph.follows(index) or _softmax_later(graph, index):
        words = ("query", "key")
    elif any(_from_softmax(graph, i) for i in node.inputs):
        words = tuple("probabilities" if _from_softmax(graph, i) else "value" for i in node.inputs)
    else:
        return []
    pairs = zip(words, node.operands, strict=False)
    return [(word, view) for word, view in pairs if view.node == source and word != "probabilities"]


def _softmax_later(graph: Graph, index: int) -> bool:
    """Whether a softmax follows within two steps (scaling, masking or a bias in between)."""
    near = [index]
    for _ in range(4):
        near = [consumer for one in near for consumer in graph.consumers[one]]
        if any(graph.nodes[one].category == "softmax" for one in near):
            return True
        near = [one for one in near if graph.nodes[one].category in ("add", "mul", "copy")]
    return False


def _from_softmax(graph: Graph, index: int) -> bool:
    for _ in range(4):
        if graph.nodes[index].category == "softmax":
            return True
        if not graph.nodes[index].inputs or graph.nodes[index].category not in ("copy", "mul", "activation"):
            return False
        index = graph.nodes[index].inputs[0]
    return False


def columns_of(graph: Graph, view: View, origin: int, axis: int) -> tuple[int, int] | None:
    """Range of the origin's output columns that a window reads, by following sampled elements back; None if lost."""
    # Corners and random elements: a window that interleaves blocks shows at one of them almost surely.
    draw = random.Random(0)  # noqa: S311 - fixed probes, no secret
    corners = [tuple(0 for _ in view.shape), tuple(side - 1 for side in view.shape)]
    inner = (
        [tuple(draw.randrange(side) for side in view.shape) for _ in range(NUM_PROBES)] if view.numel else []
    )
    seen = [_trace(graph, view, index, origin, axis) for index in corners + inner]
    known = [column for column in seen if column is not None]
    if len(known) < len(seen) or not known:
        return None
    num_columns = len({*known})
    # All probes at one column of many: the axis was lost on the way, not read so narrowly.
    if num_columns == 1 and graph.nodes[origin].shape[axis] > 1 and view.numel > 1:
        return None
    return min(known), max(known) + 1


def _trace(graph: Graph, view: View, index: tuple[int, ...], origin: int, axis: int) -> int | None:
    """The origin's column behind one element of a window."""
    element = view.offset + sum(i * s for i, s in zip(index, view.stride, strict=True))
    node = graph.nodes[view.node]
    while node.index != origin:
        position = _unravel(element, node.shape, node.stride)
        sources = [one for one in node.operands if one.shape == node.shape]
        if position is None or not sources:
            return None
        source = sources[0]
        element = source.offset + sum(i * s for i, s in zip(position, source.stride, strict=True))
        node = graph.nodes[source.node]
    place = _unravel(element, node.shape, node.stride)
    return None if place is None else place[axis]


def _unravel(element: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, ...] | None:
    """Index of a storage element in a dense tensor."""
    index = [0] * len(shape)
    # From the longest stride down, as digits of a number, since tensors may be in any memory format.
    for axis in sorted(range(len(shape)), key=lambda a: -stride[a]):
        if shape[axis] > 1 and stride[axis] > 0:
            index[axis] = min(element // stride[axis], shape[axis] - 1)
            element -= index[axis] * stride[axis]
    return tuple(index) if element == 0 else None
