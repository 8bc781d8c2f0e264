"""Zero gates: parameters that are zero by design and open with the first step, and what they hide until then."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.record.graph.graph import Graph
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.record import Record

MULTIPLYING = ("weight", "gain", "scale")


def opening_gates(record: Record) -> dict[int, tuple[str, ...]]:
    """Node -> parameters that are zero there, multiply data, and get a gradient: they open with the first step.

    Zeros that no input reaches (the first queries of a decoder) are gates too: inputs will come to them later.
    """
    found: dict[int, tuple[str, ...]] = dict.fromkeys(_constant_zeros(record.graph), ())
    for use in record.uses:
        if use.how not in MULTIPLYING:
            continue
        for name in use.names:
            info = record.parameter(name)
            if info.zero and (info.grad_second or 0.0) > 0 and (use.how != "weight" or len(info.shape) > 1):
                found[use.node] = (*found.get(use.node, ()), name)
    return found


def _constant_zeros(graph: Graph) -> Iterator[int]:
    inputs = sum(1 << index for index, node in enumerate(graph.nodes) if node.category == "input")
    for index, node in enumerate(graph.nodes):
        if node.forward is not None and node.forward.second == 0.0 and not graph.ancestors[index] & inputs:
            yield index


def shut_modules(record: Record) -> tuple[str, ...]:
    """Modules that hold a buffer of zeros and make nothing of a signal by a product.

    Detectors that freeze the norms of a backbone made with zero gains hold such, until a checkpoint is loaded.
    """
    graph, holders = record.graph, {info.name.rpartition(".")[0] for info in record.buffers if info.zero}
    return tuple(
        dict.fromkeys(
            node.module
            for node in graph.nodes
            if node.module in holders and node.category in ("mul", "norm") and _is_shut(graph, node.index)
        )
    )


def _is_shut(graph: Graph, index: int) -> bool:
    """Whether a signal enters and zeros leave."""
    node = graph.nodes[index]
    made_nothing = node.forward is not None and node.forward.second == 0.0
    return made_nothing and any(not _is_zero(graph, one) for one in node.inputs)


def unexplained_zeros(record: Record) -> tuple[Part, ...]:
    """Weights with a gradient that is exactly zero and that no opening gate explains."""
    gates = opening_gates(record)
    return tuple(
        record.parts[info.name]
        for info in record.parameters
        if has_zero_gradient(info) and not explained(record.graph, record.parts[info.name], gates)
    )


def has_zero_gradient(info: ParameterInfo) -> bool:
    """Whether a weight was reached by the backward and got nothing."""
    return info.grad_second == 0.0 and len(info.shape) > 1 and math.prod(info.shape) > 0


def explained(graph: Graph, part: Part, gates: dict[int, tuple[str, ...]]) -> bool:
    """Whether a zero gate before or after a weight, or the choice of the loss, explains that its gradient is zero."""
    return any(
        node in gates or excused_after(graph, node, gates) or _gate_before(graph, node, gates)
        for node in part.nodes
    )


def excused_after(graph: Graph, start: int, gates: dict[int, tuple[str, ...]]) -> bool:
    """Whether values without gradient lead to a gate, or to where the loss picked other values."""
    stack, seen = [start], {start}
    while stack:
        index = stack.pop()
        if not _without_gradient(graph, index):
            continue
        # The loss looks at another output in this run; the weight is not to blame.
        if index in graph.outputs:
            return any(graph.nodes[output].gradient for output in graph.outputs)
        for consumer in graph.consumers[index]:
            routes = graph.nodes[consumer].category in ("concat", "copy") and not _without_gradient(
                graph, consumer
            )
            if consumer in gates or routes:
                return True
            if consumer not in seen:
                seen.add(consumer)
                stack.append(consumer)
    return False


def _gate_before(graph: Graph, start: int, gates: dict[int, tuple[str, ...]]) -> bool:
    """Whether a gate is reached back over values that are zero."""
    stack, seen = [*graph.nodes[start].inputs], {*graph.nodes[start].inputs}
    while stack:
        index = stack.pop()
        if not _is_zero(graph, index):
            continue
        if index in gates:
            return True
        upper = [source for source in graph.nodes[index].inputs if source not in seen]
        seen.update(upper)
        stack += upper
    return False


def _is_zero(graph: Graph, index: int) -> bool:
    moments = graph.nodes[index].forward
    return moments is None or moments.second == 0.0


def _without_gradient(graph: Graph, index: int) -> bool:
    return not graph.nodes[index].gradient
