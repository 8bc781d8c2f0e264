"""What health is measured by: the trunk, and what gathers at its end, in its units and in its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

from initium.diagnose import limits
from initium.diagnose.trunk import Trunk
from initium.diagnose.zero_gates import explained, has_zero_gradient, unexplained_zeros
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.tape.node import Node
from initium.record.tape.ops import DEADLY


class Measures(Trunk):
    """All measures of one recorded run; each is computed when first asked for."""

    @cached_property
    def between(self) -> float | None:
        """Between-sample share of what the heads receive, the best of them; None for a batch of one."""
        shares = [
            share for head in self.last if head.inputs for share in self._between_before(head.inputs[0])
        ]
        return max(shares, default=None)

    def _between_before(self, index: int) -> Iterator[float]:
        """Of a value, and of what it is pooled from: pooling noise makes all samples alike, which is no fault."""
        while True:
            node = self._graph.nodes[index]
            if node.forward is not None and not math.isnan(node.forward.between):
                yield node.forward.between
            # Beyond a weight or an activation the value is another one, whose share says nothing of this.
            if node.category not in ("pool", "copy") or not node.inputs:
                return
            index = node.inputs[0]

    @cached_property
    def output_rms(self) -> float | None:
        """Root mean square of the largest head output; a common offset (a prior bias) counts only where it is huge."""
        sizes = (
            # An offset that is no more than a prior bias is set on purpose.
            head.forward.rms if head.forward.rms > limits.OUTPUT_RMS else head.forward.std
            for head in self.last
            if head.forward is not None
        )
        return max(sizes, default=None)

    @cached_property
    def rectified(self) -> tuple[Node, ...]:
        """Activations with units that can die, each looked at in enough places to say so.

        What no input reaches (the first, constant state of an unrolled net) does not show how units answer inputs.
        """
        return tuple(
            node
            for node in self._graph.nodes
            if node.dead is not None
            and node.kind in DEADLY
            and node.units > 1
            and math.prod(node.shape) >= limits.LEAST_POSITIONS * node.units
            and self._graph.ancestors[node.index] & self.inputs
        )

    @cached_property
    def dead(self) -> float | None:
        """Share of dead units among all rectified ones."""
        total = sum(node.units for node in self.rectified)
        return sum(node.units * (node.dead or 0.0) for node in self.rectified) / total if total else None

    @cached_property
    def without_gradient(self) -> tuple[Part, ...]:
        """Weights whose gradient is exactly zero and stays so after deliberate zero gates have opened."""
        return unexplained_zeros(self.record)

    @cached_property
    def zero_gradient(self) -> float | None:
        """Share of all weights (elements) that are among `without_gradient`."""
        sizes = {
            info.name: math.prod(info.shape)
            for info in self.record.parameters
            if info.grad_second is not None and len(info.shape) > 1
        }
        total = sum(sizes.values())
        return sum(sizes[part.name] for part in self.without_gradient) / total if total else None

    @cached_property
    def duplicate_weights(self) -> tuple[ParameterInfo, ...]:
        """Weights with rows that equal another row, in value and in gradient, and that no closed gate excuses."""
        return tuple(
            info
            for info in self.record.parameters
            if info.duplicates > 0
            and not info.frozen
            and self.record.parts[info.name].layer.kind in ("linear", "conv", "conv_transpose")
            and not (
                has_zero_gradient(info) and explained(self._graph, self.record.parts[info.name], self.gates)
            )
        )

    @cached_property
    def duplicate_share(self) -> float | None:
        """Share of the weights (elements) that lie in such rows."""
        sizes = {
            info.name: math.prod(info.shape)
            for info in self.record.parameters
            if self.record.parts[info.name].layer.kind in ("linear", "conv", "conv_transpose")
            and info.grad_second is not None
        }
        total = sum(sizes.values())
        return (
            sum(sizes.get(info.name, 0) * info.duplicates for info in self.duplicate_weights) / total
            if total
            else None
        )

    @cached_property
    def broken(self) -> tuple[Node, ...]:
        """Weighted operations and norms whose output or gradient is not finite, in execution order."""
        return tuple(
            node
            for node in self._graph.nodes
            if node.category in ("weighted", "norm")
            and any(moments is not None and not moments.finite for moments in (node.forward, node.backward))
        )

    @cached_property
    def not_finite(self) -> float:
        """Share of the weighted operations and norms that are `broken`; 1 if the loss is not finite."""
        loss = self.record.loss
        if loss is not None and not math.isfinite(loss):
            return 1.0
        total = sum(node.category in ("weighted", "norm") for node in self._graph.nodes)
        return len(self.broken) / total if total else 0.0
