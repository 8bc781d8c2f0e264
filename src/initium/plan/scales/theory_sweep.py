"""Scales by theory: the signal is carried through a recorded graph, and every weight scaled as it is reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from initium.predict.forward_moments import Propagation
from initium.predict.signal import Outside, Signal, Weights
from initium.record import Record
from initium.record.tape.node import Node

PredictedTarget = Callable[[Sequence[Signal]], float]
"""From the signals so far to the second moment that a weight's output should have, its bias apart."""


class Scaling(Propagation):
    """A propagation that chooses the second moment of the weights in `targets` as it reaches them.

    Args:
        seen: one recorded run; on the meta device inputs count as of unit size.
        drawn: the weights as they are drawn; overwritten by what was chosen.
        targets: weight -> its target.
    """

    def __init__(
        self, seen: Record, drawn: dict[str, Weights], targets: Mapping[str, PredictedTarget]
    ) -> None:
        super().__init__(seen, drawn)
        self.factors: dict[str, float] = {}
        self._drawn, self._targets = drawn, targets

    def _weighted(self, node: Node) -> Signal:
        use = self.weight_at(node.index)
        name = use.names[0] if use is not None else ""
        if (
            use is not None
            and use.layer is not None
            and name in self._targets.keys() - self.factors.keys()
            and node.inputs
        ):
            known = self.weights_of(name)
            _, power, _ = self._passed(node, use.layer, known)
            if not (0 < power < math.inf):
                raise Outside("a weight without an input signal, or with several")
            # The weight is replaced before the propagation goes on, so later layers see the scale that was chosen here.
            factor = self._targets[name](self.signals) / power
            self.factors[name] = math.sqrt(factor)
            self._drawn[name] = Weights(known.second * factor, known.structure)
        return super()._weighted(node)
