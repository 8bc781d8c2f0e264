"""The taped operations as a graph: what comes next, what is a residual stream, how long plain chains are.

All sets of nodes are bit masks in Python integers, which unite in one step. evidence: D-graph-masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from initium.record.tape import ops
from initium.record.tape.node import Node

SHORT_BRANCH = 16
"""A branch with more weighted operations than this is a network of its own, not a residual block."""
DENSE_BRANCH = 8
"""The same for a branch that is appended to its own input."""


def bits(mask: int) -> Iterator[int]:
    """The positions of the ones in a bit mask, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass(frozen=True, slots=True)
class Residual:
    """One addition of a branch to a stream.

    Args:
        node: the addition.
        stream: the operand that carries the stream (the skip).
        branch: the operand that carries the branch.
        end: what the branch makes: the operand itself, or f of a blend x + a (f - x).
        inside: bit mask of the nodes on the branch.
        depth: weighted operations on the branch.
        number: which stream, counted from 0.
        block: which block of that stream, counted from 0.
    """

    node: int
    stream: int
    branch: int
    end: int
    inside: int
    depth: int
    number: int
    block: int


class Graph:
    """Read-only analysis of a sequence of nodes in execution order."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[int]) -> None:
        self.nodes = nodes
        self.outputs = frozenset(outputs)
        self.consumers: list[list[int]] = [[] for _ in nodes]
        for index, node in enumerate(nodes):
            for source in dict.fromkeys(node.inputs):
                self.consumers[source].append(index)

    @cached_property
    def ancestors(self) -> list[int]:
        """Bit mask of every node that reaches node i, itself included."""
        masks: list[int] = []
        for index, node in enumerate(self.nodes):
            mask = 1 << index
            for source in node.inputs:
                mask |= masks[source]
            masks.append(mask)
        return masks

    @cached_property
    def descendants(self) -> list[int]:
        """Bit mask of every node that node i reaches, itself included."""
        masks = [1 << index for index in range(len(self.nodes))]
        for index in range(len(self.nodes) - 1, -1, -1):
            for source in self.nodes[index].inputs:
                masks[source] |= masks[index]
        return masks

    @cached_property
    def weighted(self) -> int:
        """Bit mask of the weighted operations."""
        return sum(1 << index for index, node in enumerate(self.nodes) if node.category == "weighted")

    @cached_property
    def mixing(self) -> frozenset[int]:
        """The numbers of the streams with a branch whose weights sum over positions."""
        return frozenset(
            residual.number
            for residual in self.residuals.values()
            if any(self.nodes[index].mixes for index in bits(residual.inside & self.weighted))
        )

    @cached_property
    def residuals(self) -> dict[int, Residual]:
        """Every addition of a branch to a stream, by its node."""
        found: dict[int, Residual] = {}
        blocks: list[int] = []
        for index, node in enumerate(self.nodes):
            is_sum = node.category == "add" and index not in self.differences
            sides = self._sides(index) if is_sum else None
            if sides is None:
                continue
            stream, branch, inside = sides
            end = self._blended(stream, branch)
            previous = self._previous(stream, found)
            number = found[previous].number if previous is not None else len(blocks)
            if previous is None:
                blocks.append(0)
            depth = (inside & self.weighted).bit_count()
            found[index] = Residual(index, stream, branch, end, inside, depth, number, blocks[number])
            blocks[number] += 1
        return found

    def _sides(self, index: int) -> tuple[int, int, int] | None:
        """(stream, branch, nodes inside the branch) of an addition; None if it merges equals."""
        sources = tuple(dict.fromkeys(self.nodes[index].inputs))
        if len(sources) != 2:
            return None
        first, second = sources
        shared = self.ancestors[first] & self.ancestors[second]
        only = [(self.ancestors[source] & ~shared) for source in sources]
        depths = [(mask & self.weighted).bit_count() for mask in only]
        # Sides of equal depth are peers, such as parallel paths: neither is the stream of the other.
        if not shared or max(depths) == 0 or depths[0] == depths[1]:
            return None
        skip = 0 if depths[0] < depths[1] else 1
        # A skip may hold one projection, where the other side is short enough for a residual block.
        if depths[skip] > 1 or (depths[skip] == 1 and depths[1 - skip] > SHORT_BRANCH):
            return None
        return sources[skip], sources[1 - skip], only[1 - skip]

    @cached_property
    def differences(self) -> dict[int, tuple[int, int]]:
        """The nodes f - x of blends x + a (f - x), with their two operands."""
        found = {}
        for index, node in enumerate(self.nodes):
            if ops.subtracts(node.op) and len(set(node.inputs)) == 2:
                # Only a difference that is added back to its own second operand is a blend, not a branch end.
                sums = (self.nodes[one] for one, _ in self.next(index))
                if any(one.category == "add" and node.inputs[1] in one.inputs for one in sums):
                    found[index] = (node.inputs[0], node.inputs[1])
        return found

    def _blended(self, stream: int, branch: int) -> int:
        """The value that a branch blends into a stream; the branch itself where it is added."""
        index = self.origin(branch)
        made, taken = self.differences.get(index, (branch, -1))
        return made if taken == stream else branch

    def origin(self, index: int) -> int:
        """The value before all that only moves, masks, shifts or scales it."""
        while self.is_transparent(index) and self.nodes[index].inputs:
            index = self.nodes[index].inputs[0]
        return index

    def _previous(self, node: int, found: dict[int, Residual]) -> int | None:
        """The addition that the stream comes from: back along first operands."""
        while node not in found:
            if not self.nodes[node].inputs:
                return None
            node = self.nodes[node].inputs[0]
        return node

    @cached_property
    def inside(self) -> int:
        """Bit mask of all nodes that lie on a short residual or dense branch or on the small side of a gate."""
        mask = self.gating
        for residual in self.residuals.values():
            # A longer branch is trunk: its signal must be sound of itself.
            if residual.depth <= SHORT_BRANCH:
                mask |= residual.inside
        for index in range(len(self.nodes)):
            mask |= self._dense_side(index, self.gating)
        return mask

    @cached_property
    def gating(self) -> int:
        """Bit mask of all nodes that compute the small side of a gate (squeeze and excitation)."""
        mask = 0
        for index in range(len(self.nodes)):
            mask |= self._gate_side(index)
        return mask

    def _dense_side(self, index: int, gates: int) -> int:
        """The nodes that compute what a concatenation appends to a value that they come from (DenseNet, not U-Net)."""
        node = self.nodes[index]
        sources = tuple(dict.fromkeys(node.inputs)) if node.category == "concat" else ()
        mask = 0
        for source in sources:
            bases = [one for one in sources if one != source and self.ancestors[source] >> one & 1]
            # A U-Net joins values of which neither comes from the other.
            only = self.ancestors[source] if bases else 0
            for base in bases:
                only &= ~self.ancestors[base]
            if only and self._is_dense(only & self.weighted & ~gates):
                mask |= only
        return mask

    def _is_dense(self, weighted: int) -> bool:
        """Whether the weighted operations of a branch are few and all at one resolution."""
        nodes = [self.nodes[index] for index in bits(weighted)]
        positions = {math.prod(node.shape) // node.units for node in nodes if node.units}
        return 0 < len(nodes) <= DENSE_BRANCH and len(positions) <= 1

    def _gate_side(self, index: int) -> int:
        """The nodes that compute the smaller operand of a product of two data values."""
        node = self.nodes[index]
        if node.category != "mul" or len(set(node.inputs)) != 2:
            return 0
        sizes = [operand.numel for operand in node.operands]
        # Operands of one size are a product of peers, as in a GLU: no side is the gate.
        if len(sizes) != 2 or sizes[0] == sizes[1]:
            return 0
        small = node.inputs[sizes.index(min(sizes))]
        large = node.inputs[sizes.index(max(sizes))]
        return self.ancestors[small] & ~self.ancestors[large]

    @cached_property
    def depths(self) -> list[int]:
        """Weighted operations since the last norm, residual addition, or input: what has passed without help."""
        result: list[int] = []
        for index, node in enumerate(self.nodes):
            before = max((result[source] for source in node.inputs), default=0)
            if self.normalizes(index) or node.category == "softmax" or index in self.residuals:
                before = 0
            result.append(before + (node.category == "weighted"))
        return result

    @cached_property
    def ahead(self) -> list[int]:
        """Weighted operations until the next norm, residual addition, or output, the node's own not counted."""
        # Filled from the end: what lies ahead of a node is known once all its consumers are.
        result = [0] * len(self.nodes)
        for index in range(len(self.nodes) - 1, -1, -1):
            node = self.nodes[index]
            cut = self.normalizes(index) or node.category == "softmax" or index in self.residuals
            reach = 0 if cut else result[index] + (node.category == "weighted")
            for source in node.inputs:
                result[source] = max(result[source], reach)
        return result

    def normalizes(self, index: int) -> bool:
        """Whether a node is a norm, of the framework or written out."""
        return self.nodes[index].category == "norm" or index in self.written_norms

    @cached_property
    def has_norms(self) -> bool:
        """Whether any node is a norm."""
        return any(self.normalizes(index) for index in range(len(self.nodes)))

    @cached_property
    def written_norms(self) -> dict[int, int]:
        """Products of a value with a statistic of itself, and the mask of the nodes that compute the statistic.

        For example x * rsqrt(mean(x^2)) or x / |x|, with no weight in between.
        """
        found = {index: self._statistic(index) for index in range(len(self.nodes))}
        return {index: mask for index, mask in found.items() if mask}

    @cached_property
    def statistics(self) -> int:
        """Bit mask of the nodes that only serve a written norm."""
        mask = 0
        for one in self.written_norms.values():
            mask |= one
        for index in self.written_norms:
            # The product itself carries the signal on.
            mask &= ~(1 << index)
        return mask

    def _statistic(self, index: int) -> int:
        node = self.nodes[index]
        if node.category != "mul" or len(node.operands) != 2 or len(set(node.inputs)) != 2:
            return 0
        # The statistic is one number for many values, so it is the operand with fewer distinct elements.
        small, large = sorted(node.operands, key=lambda operand: operand.distinct)
        source = self._source(large.node)
        if small.distinct >= large.distinct or not self.ancestors[small.node] >> source & 1:
            return 0
        between = self.between(source, small.node)
        path = [self.nodes[i] for i in bits(between)]
        divides = ops.divides(node.op) or any(one.inverts for one in path)
        reduces = any(one.op in ops.STATISTICS for one in path)
        # With a weight between it is attention or a gate, whose size the net learns.
        return between if divides and reduces and not between & self.weighted else 0

    def between(self, first: int, last: int) -> int:
        """Bit mask of the nodes on the way from one node, itself left out, to another."""
        return self.ancestors[last] & self.descendants[first] & ~(1 << first)

    def _source(self, index: int) -> int:
        """The value before copies, shifts and the subtraction of its own mean: statistics are often taken of that."""
        while self.nodes[index].inputs and self.nodes[index].category in ("copy", "add"):
            first, *others = self.nodes[index].inputs
            if any(self.between(first, other) & self.weighted or other < first for other in others):
                break
            index = first
        return index

    def chain(self, index: int) -> int:
        """Length of the longest skip-free and norm-free chain of weighted operations through a node."""
        return self.depths[index] + self.ahead[index]

    def is_transparent(self, index: int) -> bool:
        """Whether a node only moves, masks or shifts its one data operand."""
        node = self.nodes[index]
        if node.category == "copy":
            return True
        return node.category in ("add", "mul") and len(set(node.inputs)) == 1 and len(node.inputs) == 1

    def next(self, index: int) -> Iterator[tuple[int, int]]:
        """(node, operand that leads to it) of what consumes a value, looking through transparent nodes."""
        stack, seen = [index], {index}
        while stack:
            current = stack.pop()
            for consumer in self.consumers[current]:
                if self.is_transparent(consumer):
                    if consumer not in seen:
                        seen.add(consumer)
                        stack.append(consumer)
                else:
                    yield consumer, current

    def reaches_output(self, index: int) -> bool:
        """Whether the value leaves the model, looking through transparent nodes."""
        stack, seen = [index], {index}
        while stack:
            current = stack.pop()
            if current in self.outputs:
                return True
            for consumer in self.consumers[current]:
                if self.is_transparent(consumer) and consumer not in seen:
                    seen.add(consumer)
                    stack.append(consumer)
        return False

    def follows(self, index: int) -> tuple[str, ...]:
        """What comes next after a value, as words such as `norm:batch`, `activation:relu`, `branch`, `output`."""
        # What merely measures a value, for a norm written by hand, is not what comes next.
        ahead = [pair for pair in self.next(index) if not self.statistics >> pair[0] & 1]
        words = {self._word(consumer, source) for consumer, source in ahead}
        if self.reaches_output(index):
            words.add("output")
        return tuple(sorted(words))

    def _word(self, consumer: int, source: int) -> str:
        node = self.nodes[consumer]
        if consumer in self.differences:
            return "branch" if self.differences[consumer][0] == source else "stream"
        if consumer in self.residuals:
            return "branch" if self.residuals[consumer].branch == source else "stream"
        if consumer in self.written_norms:
            return "norm:written"
        if node.category in ("activation", "norm"):
            return f"{node.category}:{node.kind}"
        if node.category == "mul":
            return "activation:self_gated" if self._one_root(consumer) else "gate"
        return {"matmul": "attention", "add": "merge"}.get(node.category, node.category)

    def _one_root(self, index: int) -> bool:
        """Whether both operands of a product are pointwise functions of one value."""
        roots = {self._pointwise_root(source) for source in self.nodes[index].inputs}
        return len(roots) == 1

    def _pointwise_root(self, index: int) -> int:
        while self.nodes[index].category in ("activation", "copy") or self.is_transparent(index):
            if not self.nodes[index].inputs:
                break
            index = self.nodes[index].inputs[0]
        return index

    def gates(self, index: int) -> bool:
        """Whether a value, perhaps through one activation or softmax, multiplies another."""
        ahead = [consumer for consumer, _ in self.next(index)]
        after = [
            later for consumer in ahead if self.nodes[consumer].kind in ops.GATING
            for later, _ in self.next(consumer)
        ]  # fmt: skip
        return any(
            self.nodes[i].category == "mul" and len(set(self.nodes[i].inputs)) == 2 and not self._one_root(i)
            for i in after
        )
