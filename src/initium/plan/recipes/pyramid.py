"""Feature pyramids on the tape: sums of a map with an upsampled one, what feeds them and what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from initium.record.graph.roles import Part
from initium.record.record import Record
from initium.record.tape import ops
from initium.theory.layer import Layer


class Pyramid:
    """The lateral and output convolutions of the pyramids in a record, and what was cut out of their maps."""

    def __init__(self, seen: Record) -> None:
        self.graph = seen.graph
        self.seen = seen

    def words(self, part: Part) -> Iterator[str]:
        """`lateral`, `pyramid` and `in_region`, where they hold."""
        node = part.nodes[0]
        if node in self.laterals:
            yield "lateral"
        if node in self.outputs:
            yield "pyramid"
        if self.graph.ancestors[node] & self._regions:
            yield "in_region"

    @cached_property
    def merges(self) -> frozenset[int]:
        """Additions of which one operand was upsampled."""
        return frozenset(
            index
            for index, node in enumerate(self.graph.nodes)
            if node.category == "add"
            and len(set(node.inputs)) == 2
            and any(self._upsampled(one) for one in node.inputs)
        )

    @cached_property
    def laterals(self) -> frozenset[int]:
        """Convolutions of one tap whose output is an operand of a merge, or is upsampled into one."""
        found = set()
        for index in self._convolutions:
            if self._layers[index].receptive > 1:
                continue
            # The topmost lateral is no operand of a merge itself: its map is upsampled first.
            after = self._after(index)
            raised = {later for one in after if self._is_upsampling(one) for later in self._after(one)}
            if self.merges & (after | raised):
                found.add(index)
        return frozenset(found)

    @cached_property
    def outputs(self) -> frozenset[int]:
        """Convolutions that read a merge or the topmost lateral, and strided ones that carry the maps on."""
        found: set[int] = set()
        roots = {self._before(one) for one in self.laterals}
        for index in self._convolutions:
            source = self._before(index)
            # Strided ones make coarser levels out of the pyramid; one inside the trunk still leads to a merge.
            if max(self._layers[index].stride, default=1) > 1:
                onward = not self.graph.descendants[index] & self._merge_mask
                if onward and (source in found or source in roots):
                    found.add(index)
            elif source in self.merges or source in self.laterals:
                found.add(index)
        return frozenset(found)

    @cached_property
    def _merge_mask(self) -> int:
        return sum(1 << one for one in self.merges)

    @cached_property
    def _layers(self) -> dict[int, Layer]:
        return {use.node: use.layer for use in self.seen.sites if use.layer is not None}

    @cached_property
    def _convolutions(self) -> list[int]:
        return [index for index, layer in self._layers.items() if layer.kind == "conv"]

    def _after(self, index: int) -> set[int]:
        """What takes the value next, norms and moves passed over."""
        found, stack = set(), [index]
        while stack:
            for consumer in self.graph.consumers[stack.pop()]:
                if self.graph.is_transparent(consumer) or self.graph.nodes[consumer].category == "norm":
                    stack.append(consumer)
                else:
                    found.add(consumer)
        return found

    def _before(self, index: int) -> int:
        """The value that an operation reads, before moves, norms and activations."""
        index = next(iter(self.graph.nodes[index].inputs), index)
        while self.graph.nodes[index].inputs and self._passes(index):
            index = self.graph.nodes[index].inputs[0]
        return index

    def _passes(self, index: int) -> bool:
        return self.graph.nodes[index].category in ("norm", "activation") or self.graph.is_transparent(index)

    def _upsampled(self, index: int) -> bool:
        while not self._is_upsampling(index):
            if not self.graph.nodes[index].inputs or not self.graph.is_transparent(index):
                return False
            index = self.graph.nodes[index].inputs[0]
        return True

    def _is_upsampling(self, index: int) -> bool:
        return ops.upsamples(self.graph.nodes[index].op)

    @cached_property
    def _regions(self) -> int:
        return sum(1 << i for i, node in enumerate(self.graph.nodes) if ops.crops_regions(node.op))
