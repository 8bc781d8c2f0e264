"""The words and numbers of every parameter of one record: what recipes ask, read off the tape."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from initium.plan.recipes.dataflow import Reachability
from initium.plan.recipes.pyramid import Pyramid
from initium.plan.recipes.recipe import Measure
from initium.record.graph.graph import SHORT_BRANCH, Residual, bits
from initium.record.graph.roles import Part
from initium.record.record import Record
from initium.record.tape import ops

MIXING = ("attention", "matmul", "softmax")
NO_MATRIX = ("position", "token", "mask", "scale", "opaque", "unused", "bias", "norm_gain", "norm_shift")


class Traits:
    """What a record shows of each parameter, in the words of recipes."""

    def __init__(self, seen: Record) -> None:
        self.seen = seen
        self.graph = seen.graph
        self.reach = Reachability(seen.graph)
        self.pyramid = Pyramid(seen)

    @cached_property
    def words(self) -> dict[str, frozenset[str]]:
        """Every parameter's words, by name."""
        return {name: frozenset(self._words(part)) for name, part in self.seen.parts.items()}

    def measure(self, name: str, what: Measure) -> int | None:
        """One number of one parameter (see `Measure`); None for a bias whose weight is not known."""
        part = self.seen.parts[name]
        if part.role == "bias" and not self.owners(name):
            return None
        owner = next(iter(self.owners(name)), name)
        shape = self.seen.parameter(owner).shape
        if what == "fan_in":
            return max(math.prod(shape[1:]), 1)
        if what in ("heads", "levels", "points"):
            return self.reach.offset_grid(self._node(part), self.seen.batch)[what]
        if what == "grid_side":
            return max(math.isqrt(self._positions(part)), 1)
        if what == "channels":
            return self.seen.parts[owner].layer.num_out
        return self._depth(self._branch(self.seen.parts[owner]), what)

    def _depth(self, branch: Residual | None, what: Measure) -> int:
        """A number of the branch, or for what lies on none of the longest stream."""
        if what == "branch_weights":
            return 1 if branch is None else max(self._on(branch).bit_count(), 1)
        # A layer of a transformer is a pair of branches, attention and feed-forward.
        if what == "layer":
            return 0 if branch is None else branch.block // 2
        # What lies on no branch (embedding, head) still has a depth: that of the longest stream.
        streams = Counter(one.number for one in self._residuals)
        count = max(streams.values(), default=1) if branch is None else streams[branch.number]
        return count if what == "branches" else max(round(count / 2), 1)

    def _ends_branch(self, part: Part) -> bool:
        """Whether no weight of the branch, those of gates left out, comes after."""
        # A gate (squeeze and excitation) multiplies the branch; its weights do not write to the stream.
        branch, after = self._branch(part), self.graph.descendants[self._node(part)]
        return (
            branch is not None and not after & self._on(branch) and not self.graph.gating >> part.nodes[0] & 1
        )

    def owners(self, name: str) -> tuple[str, ...]:
        """The weights that a bias is added to."""
        part = self.seen.parts[name]
        if part.role != "bias":
            return ()
        found = (
            self._by_node.get(node) or self._by_node.get(self._moved_from(node), []) for node in part.nodes
        )
        return tuple(dict.fromkeys(other for names in found for other in names))

    def _moved_from(self, node: int) -> int:
        """The operation whose result, moved at most, a later addition takes."""
        node = next(iter(self.graph.nodes[node].inputs), node)
        while self.graph.nodes[node].category == "copy" and self.graph.nodes[node].inputs:
            node = self.graph.nodes[node].inputs[0]
        return node

    @cached_property
    def _by_node(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for name, part in self.seen.parts.items():
            if part.role not in NO_MATRIX:
                for node in part.nodes:
                    found.setdefault(node, []).append(name)
        return found

    def _words(self, part: Part) -> Iterator[str]:
        yield part.layer.kind
        if part.role != "weight":
            yield part.role
        if part.role == "norm_gain" and self._ends_branch(part):
            yield "last_gain"
        if part.nodes and self.graph.nodes[self._node(part)].kind in ops.LAYER_NORMS:
            yield "layer_norm"
        if part.packed:
            yield "folded"
        if math.prod(self.seen.parameter(part.name).shape) == 1:
            yield "scalar"
        if self._branch(part) is not None:
            yield "on_branch"
        if part.role not in NO_MATRIX and part.nodes:
            yield "matrix"
            yield from self._geometry(part)
            yield from self._place(part)
            yield from self._ends(part)
            yield from self.pyramid.words(part)

    def _geometry(self, part: Part) -> Iterator[str]:
        layer = part.layer
        if layer.blocks or part.role == "attention":
            yield "packed"
        if not self.graph.ancestors[self._node(part)] & self._sources & ~(1 << self._node(part)):
            yield "reads_input"

    def _place(self, part: Part) -> Iterator[str]:
        node = self._node(part)
        if self._reads_attention(node):
            yield "reads_attention"
        if self.graph.descendants[node] & self._additions:
            yield "before_trunk"
        branch = self._branch(part)
        if branch is not None:
            if not any(self.graph.nodes[one].category in MIXING for one in bits(branch.inside)):
                yield "feedforward"
            on = self._on(branch)
            if on >> node & 1 and not self.graph.descendants[node] & on & ~(1 << node):
                yield "writes"

    def _ends(self, part: Part) -> Iterator[str]:
        node = self._node(part)
        final = not any(self.reach.weight(one) for one in part.nodes)
        if final:
            yield "final"
            if self._paired(part):
                yield "paired"
        score = self.reach.score(node)
        if score and final:
            yield f"{score}_score"
        if score == "softmax" and not final:
            yield "mixes"
        if self.reach.gives_offsets(node):
            yield "sampling_offsets"
        if self.reach.sampled(node):
            yield "sampled"
        if self.reach.reads_samples(node):
            yield "reads_samples"
        # A detector calls one head at every level of its pyramid; that is how it differs from a trunk.
        if part.layer.kind == "conv" and not final and (len(part.nodes) > 1 or self._feeds_final(node)):
            yield "tower"

    def _paired(self, part: Part) -> bool:
        """Whether another weight, final too, reads the value that this one reads."""
        source = next(iter(self.graph.nodes[self._node(part)].inputs), None)
        beside = set(self.graph.consumers[source]) - set(part.nodes) if source is not None else set()
        return any(
            self.graph.nodes[one].category == "weighted" and not self.reach.weight(one) for one in beside
        )

    def _feeds_final(self, node: int) -> bool:
        following = self.reach.next_weights(node)
        return bool(following) and all(
            not self.reach.weight(one) and ops.convolves(self.graph.nodes[one].op) for one in following
        )

    def _reads_attention(self, node: int) -> bool:
        while self.graph.nodes[node].inputs:
            node = self.graph.nodes[node].inputs[0]
            category = self.graph.nodes[node].category
            if category in ("attention", "matmul"):
                return True
            if category != "copy" and not self.graph.is_transparent(node):
                return False
        return False

    @cached_property
    def _sources(self) -> int:
        lookups = sum(1 << i for i, node in enumerate(self.graph.nodes) if node.category == "lookup")
        return self.graph.weighted | lookups

    @cached_property
    def _residuals(self) -> list[Residual]:
        residuals = self.graph.residuals.values()
        # A merge of a feature pyramid is an addition too, but neither operand is a branch of the other.
        return [one for one in residuals if one.depth <= SHORT_BRANCH and one.node not in self.pyramid.merges]

    def _branch(self, part: Part) -> Residual | None:
        """The innermost residual branch that the parameter lies on, sums of feature pyramids left out."""
        if not part.nodes:
            return None
        on = [one for one in self._residuals if one.inside >> part.nodes[0] & 1]
        return min(on, key=lambda one: one.inside.bit_count(), default=None)

    @cached_property
    def _additions(self) -> int:
        return sum(1 << one.node for one in self._residuals)

    def _on(self, branch: Residual) -> int:
        """Bit mask of the weights on a branch, those of gates left out."""
        return branch.inside & self.graph.weighted & ~self.graph.gating

    def _node(self, part: Part) -> int:
        return part.nodes[0]

    def _positions(self, part: Part) -> int:
        """Places at which one sample's outputs are predicted."""
        node = self.graph.nodes[self._node(part)]
        return math.prod(node.shape[2:]) if len(node.shape) > 2 else 1
