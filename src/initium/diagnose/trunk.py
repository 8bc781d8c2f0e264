"""The trunk of a model: the signal and the gradient through its depth.

The trunk is everything but short residual branches and gates, whose outputs are small by design. A point of
the trunk is a value that a block *receives*: the operand of a weighted operation, or a residual stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from initium.diagnose import limits
from initium.diagnose.zero_gates import excused_after, opening_gates
from initium.record.graph.graph import bits
from initium.record.record import Record
from initium.record.tape.node import Node
from initium.record.tape.ops import SATURATING


@dataclass(frozen=True, slots=True)
class TrunkPoint:
    """What one block of the trunk receives.

    Args:
        depth: weighted operations on the longest way from the inputs to here.
        node: index of the recorded operation that made the value.
        module: path of the module that made it.
        names: weights that it last went through.
        second: its second moment E[x^2].
        gradient: second moment of the loss gradient with respect to it; None without a backward.
        strength: S = sqrt(sum (x dL/dx)^2), which rescaling a ReLU or normalized layer does not change; None as above.
        between: share of `second` that differs between samples; nan for a batch of one.
        normed: whether a norm has just given the value its scale.
        restored: whether a norm gives it its scale before any weight takes it.
    """

    depth: int
    node: int
    module: str
    names: tuple[str, ...]
    second: float
    gradient: float | None
    strength: float | None
    between: float
    normed: bool = False
    restored: bool = False


JOINS = frozenset({"concat", "add", "attention", "matmul"})
"""Where parallel paths meet; queries and keys get little gradient beside values while attention is even."""


DEFAULT_EPSILON = 1e-5
"""That of torch's layer, group and batch norm, for norms whose arguments do not tell theirs."""


class Trunk:
    """The trunk of one recorded run; each quantity is computed when first asked for."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._graph = record.graph

    @cached_property
    def weights_at(self) -> dict[int, tuple[str, ...]]:
        """Node -> the weights that it takes."""
        found: dict[int, tuple[str, ...]] = {}
        for use in self.record.sites:
            found[use.node] = (*found.get(use.node, ()), *use.names)
        return found

    @cached_property
    def norm_gains(self) -> dict[int, tuple[str, ...]]:
        """Node -> the gain of the norm that it is."""
        return {use.node: use.names for use in self.record.uses if use.how == "gain"}

    @cached_property
    def depths(self) -> list[int]:
        """Weighted operations on the longest way from the inputs to each node, its own counted."""
        result: list[int] = []
        for node in self._graph.nodes:
            before = max((result[source] for source in node.inputs), default=0)
            result.append(before + (node.category == "weighted"))
        return result

    @cached_property
    def points(self) -> tuple[TrunkPoint, ...]:
        """The points of the trunk, by depth; the inputs themselves are not among them."""
        # At depth 0 stand the inputs, whose scale no start can change.
        chosen = {
            index
            for index in self._received()
            if self.depths[index] > 0
            and self._graph.ancestors[index] & self.inputs
            and not self._halfway(index)
        }
        ordered = sorted(chosen, key=lambda index: (self.depths[index], index))
        made = (self._point(self._graph.nodes[index]) for index in ordered)
        return tuple(point for point in made if point is not None)

    @cached_property
    def inputs(self) -> int:
        """Bit mask of what enters the model; what no input reaches (queries, tables) is no signal."""
        return sum(1 << index for index, node in enumerate(self._graph.nodes) if node.category == "input")

    def _received(self) -> Iterator[int]:
        inside = self._graph.inside
        for index, node in enumerate(self._graph.nodes):
            if inside >> index & 1:
                continue
            if node.category == "weighted" and node.inputs:
                yield node.inputs[0]
            residual = self._graph.residuals.get(index)
            if residual is not None and self._goes_on(index):
                yield index
                is_projection = len(self._graph.consumers[residual.stream]) == 1
                if not is_projection:
                    yield residual.stream

    def _goes_on(self, index: int) -> bool:
        """Whether a sum is features: a weight takes it later or it leaves the model; sums of boxes end in a loss."""
        graph = self._graph
        if graph.descendants[index] & graph.weighted:
            return True
        stack, seen = [index], {index}
        while stack:
            one = stack.pop()
            if one in graph.outputs:
                return len(graph.nodes[one].shape) > 1
            for consumer in graph.consumers[one]:
                plain = graph.nodes[consumer].category in ("norm", "copy", "pool") or graph.is_transparent(
                    consumer
                )
                if plain and consumer not in seen:
                    seen.add(consumer)
                    stack.append(consumer)
        return False

    def _halfway(self, index: int) -> bool:
        """Whether a depthwise weight made the value and the next weight takes it as it is: two halves of one layer."""
        layers = [use.layer for use in self.record.sites if use.node == index and use.layer is not None]
        depthwise = any(layer.groups > 1 and layer.groups == layer.num_in for layer in layers)
        return depthwise and all(
            self._graph.nodes[one].category == "weighted" for one, _ in self._graph.next(index)
        )

    def _point(self, node: Node) -> TrunkPoint | None:
        # A value that the loss does not depend on, as an auxiliary output, is no part of the trunk.
        if node.forward is None or (node.backward is None and self.record.loss is not None):
            return None
        hidden = self._hidden(node)
        return TrunkPoint(
            depth=self.depths[node.index],
            node=node.index,
            module=node.module,
            names=self.behind(node.index),
            second=node.forward.second,
            gradient=None
            if hidden or node.gradient is None
            else node.gradient**2 / max(math.prod(node.shape), 1),
            strength=None if hidden else node.strength,
            between=node.forward.between,
            normed=self._set_by_norm(node.index),
            restored=self._restored(node),
        )

    def _hidden(self, node: Node) -> bool:
        """Whether the gradient is zero for a reason that is no fault of the start."""
        return node.gradient == 0.0 and excused_after(self._graph, node.index, self.gates)

    def _restored(self, node: Node) -> bool:
        """Whether only norms take the value, and it is large enough for them to give it its scale back."""
        graph = self._graph
        takers = [
            graph.nodes[one]
            for one, _ in graph.next(node.index)
            if one not in graph.residuals and not graph.statistics >> one & 1
        ]
        norms = [taker for taker in takers if graph.normalizes(taker.index)]
        if not norms or node.forward is None:
            return False
        direct = any(taker.category in ("weighted", "attention", "matmul", "activation") for taker in takers)
        # A norm whose epsilon is of the size of the variance divides by the epsilon and restores nothing.
        return not direct and node.forward.second > limits.EPSILON_RATIO * max(
            epsilon_of(norm) for norm in norms
        )

    def _set_by_norm(self, index: int) -> bool:
        """Whether a norm has just given the value its scale."""
        graph = self._graph
        while not graph.normalizes(index):
            node = graph.nodes[index]
            passes = node.category in ("activation", "pool", "copy") or graph.is_transparent(index)
            if len(node.inputs) != 1 or not passes:
                return False
            index = node.inputs[0]
        return True

    @cached_property
    def gates(self) -> dict[int, tuple[str, ...]]:
        """Deliberate zeros that open with the first step, by node."""
        return opening_gates(self.record)

    def carried(
        self, value: Callable[[Node], float | None], reached: list[int]
    ) -> list[tuple[TrunkPoint, float]]:
        """(point, the largest value on it or on a way around it): what gets through at that depth.

        Parallel paths share the signal and the gradient, and side heads get little of it; no harm in either.

        Args:
            value: of a node; None where it does not count.
            reached: masks of the nodes from which each node is reached.
        """
        nodes = {point.node for point in self.points} | {head.index for head in self.last} | self._merged
        sizes = {index: size for index in nodes if (size := value(self._graph.nodes[index])) is not None}
        found = []
        for point in self.points:
            if point.node in sizes:
                own = sizes[point.node]
                # What is weak on one path may be strong on the one beside it, and then it gets through.
                around = (
                    size
                    for index, size in sizes.items()
                    if size > own and self._parallel(point.node, index, reached)
                )
                found.append((point, max(around, default=own)))
        return found

    @cached_property
    def _merged(self) -> set[int]:
        """Features that are joined with others: the ends of parallel paths."""
        graph = self._graph
        joins = (
            index
            for index, node in enumerate(graph.nodes)
            if node.category in JOINS and len(set(node.inputs)) > 1 and self._is_feature(index)
        )
        return {source for index in joins for source in graph.nodes[index].inputs if self._is_feature(source)}

    def _is_feature(self, index: int) -> bool:
        """Whether a weight takes the value later, and the gradient reaches it: boxes and indices are none."""
        graded = self.record.loss is None or self._graph.nodes[index].gradient is not None
        return graded and bool(self._graph.descendants[index] & self._graph.weighted)

    def _parallel(self, first: int, second: int, reached: list[int]) -> bool:
        """Whether two values lie on different paths that part after the first weight."""
        if reached[first] >> second & 1 or reached[second] >> first & 1:
            return False
        return bool(reached[first] & reached[second] & self._deep)

    @cached_property
    def _graded(self) -> list[int]:
        """Masks of the nodes that get gradient from each node: what was detached does not."""
        masks: list[int] = []
        for index, node in enumerate(self._graph.nodes):
            mask = 1 << index
            for source in node.inputs if node.gradient is not None else ():
                mask |= masks[source]
            masks.append(mask)
        return masks

    @cached_property
    def _deep(self) -> int:
        """Bit mask of the nodes behind an input and a weight."""
        up = self._graph.ancestors
        return sum(1 << i for i in range(len(up)) if self.depths[i] > 0 and up[i] & self.inputs)

    def behind(self, index: int) -> tuple[str, ...]:
        """The weights that a value last went through; of a residual sum, those of its branch."""
        seen, layer = {index}, [index]
        names: dict[str, None] = {}
        while layer:
            upper: list[int] = []
            for one in layer:
                if one in self.weights_at:
                    names.update(dict.fromkeys(self.weights_at[one]))
                    continue
                residual = self._graph.residuals.get(one)
                sources = self._graph.nodes[one].inputs if residual is None else (residual.end,)
                upper += [source for source in sources if source not in seen]
            seen.update(upper)
            layer = upper
        return tuple(names)

    @cached_property
    def last(self) -> tuple[Node, ...]:
        """The weighted operations after which no other comes: the heads."""
        graph = self._graph
        return tuple(
            graph.nodes[index]
            for index in range(len(graph.nodes))
            if graph.weighted >> index & 1 and graph.descendants[index] & graph.weighted == 1 << index
        )

    @cached_property
    def drift(self) -> tuple[float, TrunkPoint, TrunkPoint] | None:
        """(decades, from, to): the largest change of the second moment from point to point with no norm between."""
        least = {point.node: (point, value) for point, value in self.signal if not point.normed}
        everything = sum(1 << node for node in least)
        worst: tuple[float, TrunkPoint, TrunkPoint] | None = None
        for node, (point, low) in least.items():
            # Both directions count: a signal that grows and one that shrinks drift alike.
            for source in bits(self._unnormed[node] & everything):
                before, other = least[source]
                size = max(above(before.second, low), above(point.second, other))
                if worst is None or size > worst[0]:
                    worst = (size, before, point)
        return worst

    @cached_property
    def _unnormed(self) -> list[int]:
        """Bit mask of the nodes that reach each node on a way without a norm or a bounded activation."""
        masks: list[int] = []
        for index, node in enumerate(self._graph.nodes):
            mask = 1 << index
            bounded = node.category == "softmax" or node.kind in SATURATING
            for source in () if bounded or self._graph.normalizes(index) else node.inputs:
                mask |= masks[source]
            masks.append(mask)
        return masks

    @property
    def signal_span(self) -> float | None:
        """Decades of the largest drift."""
        return None if self.drift is None else self.drift[0]

    @cached_property
    def signal(self) -> list[tuple[TrunkPoint, float]]:
        """(point, second moment of what gets through at its depth)."""
        return self.carried(
            lambda node: None if node.forward is None else node.forward.second, self._graph.ancestors
        )

    @cached_property
    def unrestored(self) -> list[tuple[TrunkPoint, float]]:
        """Second moments through depth of what no norm restores."""
        return [(point, value) for point, value in self.signal if not point.restored]

    @cached_property
    def strengths(self) -> list[tuple[TrunkPoint, float]]:
        """(point, S of what gets through at its depth)."""
        return self.carried(lambda node: None if self._hidden(node) else node.strength, self._graded)

    @cached_property
    def gradient_span(self) -> float | None:
        """Decades from the least S that gets through anywhere on the trunk to the greatest."""
        greatest = [point.strength for point in self.points if point.strength is not None]
        least = [value for _, value in self.strengths]
        return above(max(greatest), min(least)) if least and greatest else None


def epsilon_of(norm: Node) -> float:
    """The epsilon of a norm; that of torch's norms where it does not tell."""
    return norm.epsilon or DEFAULT_EPSILON


def above(high: float, low: float) -> float:
    """Decades by which one value is above another, at least 0; inf above zero or if it is not finite."""
    if not (low > 0 and math.isfinite(high)):
        return math.inf
    return max(math.log10(high / low), 0.0) if high > 0 else 0.0
