"""What a record's operations take from its parameters: the weights and vectors that theory needs to know of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initium.predict.signal import Outside, Weights
from initium.record import Record
from initium.record.tape.node import Node
from initium.record.tape.uses import Use

MAX_ZEROS = 0.2
"""Share of exact zeros from which a weight is no set of independent draws."""

UNEVEN_BIASES = 0.1
"""Share of an output's second moment that the spread of its biases has where its parts are not alike."""


@dataclass
class ParameterMoments:
    """The parameters of a record; `weights` stand in for the values that it found."""

    seen: Record
    weights: Mapping[str, Weights]
    uses: dict[int, list[Use]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for use in self.seen.uses:
            self.uses.setdefault(use.node, []).append(use)
        self._places: dict[str, int] = {}
        for use in self.seen.sites:
            for name in use.names:
                # A bit for every use, so that one mask answers what a signal has met.
                self._places[name] = self._places.get(name, 0) | 1 << use.node

    def weight_at(self, index: int) -> Use | None:
        """The use of a weight by a node; None where there is none."""
        return next((use for use in self.uses.get(index, ()) if use.how == "weight"), None)

    def met_before(self, name: str, index: int) -> bool:
        """Whether what a node is given was made with the weight that the node uses itself."""
        return bool(self._places.get(name, 0) & self.seen.graph.ancestors[index] & ~(1 << index))

    def weights_of(self, name: str) -> Weights:
        """The planned weights of that name, or those that were found; Outside where they are no random draws."""
        info = self.seen.parameter(name)
        known = self.weights.get(name)
        if known is None:
            if info.meta or not info.finite:
                raise Outside("a weight whose values are not known")
            known = Weights(info.second, info.structure, info.mean)
        shape = known.structure
        if len(info.shape) < 2 or known.second == 0:
            return known
        if shape.zeros > MAX_ZEROS:
            raise Outside("a weight with many exact zeros")
        if 0.0 < shape.paired < 1.0:
            raise Outside("a weight of which some units are paired")
        if shape.row_sum > 1.0:
            raise Outside("a weight whose rows add up")
        return known

    def is_opposite(self, index: int) -> bool:
        """Whether the outputs of a node come in pairs of opposite sign, the one half of them and the other."""
        use = self.weight_at(index)
        return use is not None and len(use.names) == 1 and self.weights_of(use.names[0]).structure.opposite

    def check_parts(self, node: Node, second: float, differ: bool | None) -> None:
        """Raise unless one law holds for all parts of a node's output, of that second moment."""
        if differ is None:
            raise Outside("parts of one value that may be alike")
        if differ and any(of - mean**2 > UNEVEN_BIASES * second for mean, of in self.vectors(node, "bias")):
            raise Outside("parts of one value with biases of their own")

    def vectors(self, node: Node, how: str, *, found: bool = False) -> list[tuple[float, float]]:
        """(mean, second moment) of the parameters that a node takes in that way, as planned or as `found`."""
        names = [name for use in self.uses.get(node.index, ()) if use.how == how for name in use.names]
        return [self._moments(name, found) for name in names]

    def _moments(self, name: str, found: bool) -> tuple[float, float]:
        known = self.weights.get(name)
        if known is not None and not found:
            return known.mean, known.second
        info = self.seen.parameter(name)
        if info.meta or not info.finite:
            raise Outside("a parameter whose values are not known")
        return info.mean, info.second
