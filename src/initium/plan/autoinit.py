"""AutoInit: moments computed through the recorded graph, each weight scaled so that its output has variance 1.

Bingham and Miikkulainen (2021), arXiv:2109.08958. No value is measured but where theory has no rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from initium.diagnose.propagate import Propagation
from initium.diagnose.signal import Outside, Signal, Weights
from initium.methods.law import law
from initium.plan.assignment import Assignment
from initium.record import Record
from initium.record.node import Node
from initium.theory.fans import fans

UNIT = 1.0
"""The variance of every output."""


class _Scaling(Propagation):
    """A propagation that chooses the second moment of the weights in `tuned` as it reaches them."""

    def __init__(self, seen: Record, drawn: dict[str, Weights], tuned: frozenset[str]) -> None:
        super().__init__(seen, drawn)
        self.found: dict[str, float] = {}
        self._drawn, self._tuned = drawn, tuned

    def _weighted(self, node: Node) -> Signal:
        use = next(use for use in self.uses[node.index] if use.how == "weight")
        name = use.names[0]
        if name in self._tuned and name not in self.found and use.layer is not None and node.inputs:
            power = self.signals[node.inputs[0]].second * fans(use.layer).fan_in
            if not (0 < power < math.inf):
                raise Outside("a weight that meets no signal, or several")
            self.found[name] = UNIT / power
            self._drawn[name] = Weights(self.found[name])
        return super()._weighted(node)


Decided = tuple[tuple[Assignment, ...], tuple[str, ...]]


def autoinit(seen: Record, base: tuple[Assignment, ...], tuned: Sequence[str]) -> Decided:
    """The assignments with the scales that unit variance asks for, and where theory had no rule."""
    laws = {one.name: law(one.draw()) for one in base if not one.keeps}
    drawn = {
        name: Weights(known.var + known.mean**2, mean=known.mean) for name, known in laws.items() if known
    }
    seconds = {name: known.second for name, known in drawn.items()}
    scaling = _Scaling(seen, drawn, frozenset(tuned) & drawn.keys())
    signals = scaling.run()
    made = tuple(
        replace(one, scale=one.scale * math.sqrt(scaling.found[one.name] / (seconds[one.name] or 1.0)))
        if one.name in scaling.found
        else one
        for one in base
    )
    reasons = list(dict.fromkeys(signal.reason for signal in signals if signal.reason))
    notes = [f"taken as measured, since theory has no rule: {'; '.join(reasons[:4])}"] if reasons else []
    rest = [name for name in tuned if name not in scaling.found]
    return made, (*notes, *([f"not reached: {', '.join(rest[:4])}"] if rest else []))
