"""Where the values of a weight go: to other weights, to scores, to sampling positions."""

from __future__ import annotations

from functools import cached_property

from initium.record.graph.graph import Graph
from initium.record.tape import ops


class Reachability:
    """Forward reachability in a graph, each question answered once for all nodes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def weight(self, node: int) -> bool:
        """Whether a weight reads what comes of the value, otherwise than as a place to look at."""
        return bool(self._weights[node])

    def next_weights(self, node: int) -> frozenset[int]:
        """The first weighted operations on every way from the value."""
        return self._weights[node]

    @cached_property
    def _weights(self) -> list[frozenset[int]]:
        nodes = self.graph.nodes
        found: list[frozenset[int]] = [frozenset()] * len(nodes)
        # Backwards, since a node's answer is made of those of its consumers, which all come later.
        for index in range(len(nodes) - 1, -1, -1):
            reached: set[int] = set()
            for consumer in self.graph.consumers[index]:
                if self._gives_positions(consumer, index) or "float" not in nodes[consumer].dtype:
                    continue  # integers and truth values choose what is read; they are no signal
                if nodes[consumer].category == "weighted":
                    reached.add(consumer)
                else:
                    reached |= found[consumer]
            found[index] = frozenset(reached)
        return found

    def _gives_positions(self, consumer: int, source: int) -> bool:
        """Whether the consumer takes the value as positions, not as data."""
        node = self.graph.nodes[consumer]
        return ops.samples_at_places(node.op) and bool(node.inputs) and node.inputs[0] != source

    def score(self, node: int) -> str:
        """Whether the value is moved, unchanged, to a "sigmoid" or a "softmax"; "" if to neither."""
        stack, seen = [node], {node}
        while stack:
            current = stack.pop()
            for consumer in self.graph.consumers[current]:
                if consumer in seen:
                    continue
                seen.add(consumer)
                word = self._score_word(consumer)
                if word:
                    return word
                if self._moves(consumer):
                    stack.append(consumer)
        return ""

    def _score_word(self, index: int) -> str:
        node = self.graph.nodes[index]
        if node.category == "softmax":
            return "softmax"
        return ops.LINKS.get(node.op, "") or ("sigmoid" if ops.is_sigmoid(node.kind) else "")

    def _moves(self, index: int) -> bool:
        node = self.graph.nodes[index]
        return (
            node.category in ("copy", "concat")
            or node.op in ops.SELECTIONS
            or self.graph.is_transparent(index)
        )

    def gives_offsets(self, node: int) -> bool:
        """Whether sums and products of the value with others say where a sampling operation looks."""
        return bool(self._samplers(node))

    def sampled(self, node: int) -> bool:
        """Whether the value, moved at most, is sampled at free positions."""
        stack = [node]
        while stack:
            current = stack.pop()
            for consumer in self.graph.consumers[current]:
                if ops.is_grid_sampler(self.graph.nodes[consumer].op):
                    return not self._gives_positions(consumer, current)
                if self.graph.is_transparent(consumer):
                    stack.append(consumer)
        return False

    def reads_samples(self, node: int) -> bool:
        """Whether what a weight reads is a weighed sum of samples."""
        stack, seen = list(self.graph.nodes[node].inputs), set()
        while stack:
            current = stack.pop()
            if ops.is_grid_sampler(self.graph.nodes[current].op):
                return True
            if current not in seen and self.graph.nodes[current].category in (
                "copy",
                "mul",
                "concat",
                "pool",
                "reduce",
            ):
                stack += self.graph.nodes[current].inputs
            seen.add(current)
        return False

    def offset_grid(self, node: int, batch: int) -> dict[str, int]:
        """Heads, levels and points of the deformable attention whose offsets the value gives; 1 where it gives none."""
        views = [
            view
            for sampler in sorted(self._samplers(node))
            for view in self.graph.nodes[sampler].operands
            if view.node != self.graph.nodes[sampler].inputs[0]
        ]
        # The grid of grid_sample: (batch x heads, queries, points, 2), one call a level.
        grids = [view.shape for view in views if len(view.shape) == 4 and view.shape[-1] == 2]
        if not grids:
            return {"heads": 1, "levels": 1, "points": 1}
        return {"heads": max(grids[0][0] // max(batch, 1), 1), "levels": len(grids), "points": grids[0][2]}

    def _samplers(self, node: int) -> set[int]:
        found: set[int] = set()
        stack, seen = [node], {node}
        while stack:
            current = stack.pop()
            for consumer in self.graph.consumers[current]:
                if ops.is_grid_sampler(self.graph.nodes[consumer].op) and self._gives_positions(
                    consumer, current
                ):
                    found.add(consumer)
                # Offsets are scaled by the size of the level and added to reference points on their way.
                elif consumer not in seen and self.graph.nodes[consumer].category in (
                    "copy", "add", "mul", "concat",
                ):  # fmt: skip
                    seen.add(consumer)
                    stack.append(consumer)
        return found
