"""How fast one value grows with another: the degree of the function between them."""

from __future__ import annotations

from initium.record.graph.graph import Graph, bits
from initium.record.tape import ops


def degree_of(graph: Graph, start: int, end: int) -> int:
    """The power of a factor on one value by which a later one grows at the least; 0 where it may not grow."""
    degrees = {start: 1}
    for index in bits(graph.between(start, end)):
        before = [degrees.get(source, 0) for source in graph.nodes[index].inputs]
        degrees[index] = 0 if graph.normalizes(index) else _degree(graph, index, before)
    return degrees.get(end, 0)


def _degree(graph: Graph, index: int, before: list[int]) -> int:
    """The degree of one operation's output, from those of its operands."""
    node = graph.nodes[index]
    if node.category in ("mul", "matmul") and len(before) <= 2:
        # Dividing by what grows with the start cancels growth: at the least nothing is left, whatever the numerator.
        divides = ops.divides(node.op) and len(before) == 2
        return before[0] * (not before[1]) if divides else sum(before)
    if node.category in ("add", "concat", "copy"):
        return min(before)  # an operand that does not grow bounds the growth of the whole from below
    if node.category == "attention":
        # The values: weights of attention add up to 1, whatever the size of queries and keys.
        return before[-1]
    if node.category == "pool" or (node.category == "activation" and node.kind in ops.GROWING):
        return before[0]
    return before[0] if node.category == "weighted" and node.op not in ops.RECURRENT else 0
