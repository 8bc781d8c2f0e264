"""Second moments of gradients by mean-field theory, backward through a recorded graph.

A weight passes on E g_x^2 = fan_out E w^2 E g_z^2, a pointwise function of a root E f'^2, sums of independent values
the gradient itself. Gradients that meet from several sides are taken for independent. The loss's gradient at the
outputs is given, and where theory does not speak the gradient goes on from what was measured there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from initium.predict.forward_moments import Propagation
from initium.predict.signal import Outside, Signal
from initium.record.tape import ops
from initium.record.tape.node import Node
from initium.theory.fans import fans
from initium.theory.laws import Law
from initium.theory.profiles import Profile, blended, through

OPPOSITE_GRADIENTS = 4.0
"""`Gradient.paired` of what paired columns hand back: a pair's gradients are opposite."""
UNEVEN_SAMPLES = 0.5
"""Relative variance of a signal's size over samples from which gradients through a product depend on it."""


@dataclass(frozen=True, slots=True)
class Gradient:
    """What theory says of the gradient at one value.

    Args:
        second: E g^2 over elements, samples and draws of the weights.
        variance: of its log, that the weights leave open.
        drift: the same, as a standard deviation, through signals of another size than predicted: they change f'
            alike in all layers, so it adds up along the way.
        profile: how its power lies over a map.
        paired: for a value of units in pairs of opposite sign, the mean square of the difference of a pair's gradients,
            to E g^2: 2 where they are independent.
        reason: why it is a measurement; "" where it was predicted.
    """

    second: float
    variance: float = 0.0
    drift: float = 0.0
    reason: str = ""
    profile: Profile = ()
    paired: float = 2.0

    @property
    def total(self) -> float:
        """Variance of log E g^2."""
        return self.variance + self.drift * self.drift  # a power would raise where this is inf


@dataclass
class Backpropagation:
    """The gradients at the roots of a record's signals: weighted operations, sums, norms, pools."""

    forward: Propagation
    signals: Sequence[Signal]
    found: dict[int, Gradient] = field(default_factory=dict)

    def run(self) -> dict[int, Gradient]:
        """Root -> its gradient; only where one arrived."""
        regions: dict[int, list[int]] = {}
        for index, signal in enumerate(self.signals):
            regions.setdefault(signal.root, []).append(index)
        # Backwards: a root's gradient is the sum over consumers, which all come later.
        for root in sorted(regions, reverse=True):
            node = self.forward.seen.nodes[root]
            if node.backward is None:
                continue
            try:
                self.found[root] = self._gathered(root, regions[root])
            except Outside as outside:
                self.found[root] = Gradient(node.backward.second, self._looked_at(node), reason=str(outside))
        return self.found

    def _gathered(self, root: int, region: list[int]) -> Gradient:
        """The sum over all ways that lead out of the values that are functions of one root."""
        parts: list[Gradient] = []
        for index in region:
            law = self.signals[index].law
            if index in self.forward.seen.graph.outputs:
                raise Outside("the loss itself")
            for consumer in self.forward.seen.graph.consumers[index]:
                if self.signals[consumer].root == root:
                    continue
                arrived = self._back(index, consumer)
                share = self._taken(index, consumer) * min(
                    self._numel(index) / max(self._numel(root), 1), 1.0
                )
                arrived = replace(arrived, second=arrived.second * share)
                parts.append(arrived if law is None or index == root else self._sloped(arrived, law, root))
        total = sum(one.second for one in parts)
        if not (parts and 0 < total < math.inf):
            raise Outside("a gradient that does not arrive")
        shares = [one.second / total for one in parts]
        variance = sum(one.variance * share**2 for one, share in zip(parts, shares, strict=True))
        # Linear, not squared: an error of the signal's size is common to all ways.
        drift = sum(one.drift * share for one, share in zip(parts, shares, strict=True))
        paired = sum(one.paired * share for one, share in zip(parts, shares, strict=True))
        return Gradient(total, variance, drift, "", blended([one.profile for one in parts], shares), paired)

    def _sloped(self, arrived: Gradient, law: Law, root: int) -> Gradient:
        """Through a function of a root: times E f'^2."""
        spread, odd = law.gain_excess / self._values(root), self._odd(law, arrived)
        drift = abs(law.gain_slope) * math.sqrt(self.signals[root].variance)
        return replace(
            arrived,
            second=arrived.second * law.gain,
            variance=arrived.variance + spread,
            drift=arrived.drift + drift,
            paired=odd.gain / law.gain if odd is not None and law.gain > 0 else 2.0,
        )

    def _odd(self, law: Law, arrived: Gradient) -> Law | None:
        """The law of the odd part, where the gradients of paired units are opposite."""
        return law.odd() if arrived.paired == OPPOSITE_GRADIENTS else None

    def _back(self, index: int, consumer: int) -> Gradient:
        """What one consumer hands back to a value."""
        node, before = self.forward.seen.nodes[consumer], self.found.get(consumer)
        if before is None:
            raise Outside("a value without gradient")
        if consumer in self.forward.restarts:
            raise Outside(self.forward.restarts[consumer])
        if self.signals[consumer].drawn == consumer:
            return self._through_weight(index, consumer, before)
        whole_parts = sum(view.numel for view in node.operands) == math.prod(node.shape)
        if node.category == "concat" and (before.reason or not whole_parts):
            raise Outside("a part of a joined value")
        whole = all(view.numel == math.prod(node.shape) for view in node.operands if view.node == index)
        if node.category == "concat" or (node.category == "add" and whole):
            return before
        if node.category == "mul" and whole and len(node.inputs) == 2:
            other = next((one for one in node.inputs if one != index), index)
            if self.forward.spread(self.forward.seen.nodes[self.signals[other].root]) > UNEVEN_SAMPLES:
                raise Outside("a product with a value whose size varies from sample to sample")
            return replace(before, second=before.second * self.signals[other].second)
        if ops.takes_maximum(node.op):
            raise Outside("a maximum, which chooses where gradients go")
        if node.category in ("pool", "copy"):
            return self._through_move(index, node, before)
        raise Outside("a norm" if node.category == "norm" else f"the operation {node.op}")

    def _taken(self, index: int, consumer: int) -> float:
        """Share of a value that a consumer reads: the rest gets no gradient from it."""
        node = self.forward.seen.nodes[consumer]
        sizes = [view.distinct for view in node.operands if view.node == index]
        return min(sum(sizes) / max(self._numel(index), 1), 1.0)

    def _numel(self, index: int) -> int:
        return math.prod(self.forward.seen.nodes[index].shape)

    def _through_weight(self, index: int, consumer: int, before: Gradient) -> Gradient:
        use = self.forward.weight_at(consumer)
        assert use is not None and use.layer is not None  # noqa: PT018 - the signal was predicted through it
        middle, profile = through(use.layer, before.profile, backward=True)
        weights = self.forward.weights_of(use.names[0])
        pairs = before.paired / 2 if weights.structure.opposite else 1.0
        second = before.second * middle * fans(use.layer).fan_out * weights.second * pairs
        rank = self.forward.seen.nodes[index].backward
        alike = rank.rank if rank is not None and rank.rank >= 1 else 1.0
        variance = before.variance + 2.0 / (use.layer.num_in * alike)
        paired = OPPOSITE_GRADIENTS if weights.structure.paired else 2.0
        return Gradient(second, variance, before.drift, profile=profile, paired=paired)

    def _through_move(self, index: int, node: Node, before: Gradient) -> Gradient:
        """By the factor that was measured: a linear map has the same at any scale."""
        source = self.forward.seen.nodes[index]
        if (
            len(self.forward.seen.graph.consumers[index]) != 1
            or source.backward is None
            or node.backward is None
        ):
            raise Outside(f"the operation {node.op}")
        if not node.backward.second > 0:
            raise Outside("a gradient that does not arrive")
        factor = source.backward.second / node.backward.second
        return Gradient(
            before.second * factor, before.variance + self._looked_at(source) + self._looked_at(node)
        )

    def _looked_at(self, node: Node) -> float:
        return self.forward.sampling(node, node.backward)

    def _values(self, root: int) -> float:
        values = self.signals[root].values
        return values if math.isfinite(values) else float(self.forward.seen.nodes[root].units or math.inf)
