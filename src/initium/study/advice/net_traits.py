"""What a net is like, by what a run of it shows, and how alike two nets are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from initium import plain_data
from initium.record import Record

LIKE = 2.5
"""Nets no farther apart than this are like one another: one doubling of depth and one other trait, say."""
SHAPES = {
    "relu": ("relu", "clamp_min", "threshold", "leaky_relu", "prelu", "rrelu", "hardtanh6", "elu", "celu"),
    "smooth": ("gelu", "silu", "mish", "hardswish", "softplus"),
    "bounded, odd": ("tanh", "hardtanh", "erf", "atan", "sin", "asinh"),
    "bounded, with a mean": ("sigmoid", "hardsigmoid", "cos"),
}
"""Shape of an activation to the operations that have it; any other operation is a shape of its own."""


@dataclass(frozen=True)
class Traits:
    """Traits of a net.

    Args:
        chain: weights on the longest unaided chain, without norm or skip.
        weights: weighted operations.
        normed: whether a normalization acts between weights.
        skips: whether there are residual additions.
        conv: whether most weights are convolutions.
        attention: whether there is attention.
        activation: shape of the activation that acts most often; "" if there is none.
    """

    chain: int
    weights: int
    normed: bool
    skips: bool
    conv: bool
    attention: bool
    activation: str

    @classmethod
    def of(cls, seen: Record) -> Self:
        """The traits that a record shows."""
        weighted = [
            part for part in seen.parts.values() if part.chain and part.layer.kind in ("linear", "conv")
        ]
        kinds = Counter(
            shape(node.kind) for node in seen.nodes if node.category == "activation" and node.kind
        )
        roles = {part.role for part in weighted}
        return cls(
            chain=max((part.chain for part in weighted), default=0),
            weights=len(weighted),
            normed=any(seen.graph.normalizes(node.index) for node in seen.nodes),
            skips=bool(seen.graph.residuals),
            conv=2 * sum(part.layer.kind == "conv" for part in weighted) > len(weighted),
            attention=bool(roles & {"attention", "query", "key", "value"}),
            activation=kinds.most_common(1)[0][0] if kinds else "",
        )

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The traits that `to_data` wrote; raises ValueError or KeyError for anything else."""

        def flag(name: str) -> bool:
            if not isinstance(data[name], bool):
                raise ValueError(f"{name} is {data[name]!r}, neither true nor false")
            return bool(data[name])

        return cls(
            chain=plain_data.whole(data["chain"], 0),
            weights=plain_data.whole(data["weights"], 0),
            normed=flag("normed"),
            skips=flag("skips"),
            conv=flag("conv"),
            attention=flag("attention"),
            activation=plain_data.text(data["activation"]),
        )

    def to_data(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return asdict(self)

    def distance(self, other: Traits) -> float:
        """0 for nets with the same traits; a doubling of the unaided chain counts 1, of the number of weights .25.

        Without a norm in either, the shape of the activation and skips count most, since they decide what passes.
        """
        unnormed = not (self.normed or other.normed)
        far = abs(math.log2((1 + self.chain) / (1 + other.chain)))
        far += 0.25 * abs(math.log2((1 + self.weights) / (1 + other.weights)))
        far += 3.0 * (self.normed != other.normed) + 1.5 * (self.skips != other.skips)
        far += 0.75 * (self.conv != other.conv) + 2.0 * (self.attention != other.attention)
        return far + (1.0 if unnormed else 0.25) * unlike(self.activation, other.activation)

    def __str__(self) -> str:
        kind = "attention" if self.attention else "convolutions" if self.conv else "dense layers"
        norm = "with normalization" if self.normed else "without normalization"
        skips = "with skips" if self.skips else "without skips"
        shape = f"activation {self.activation}" if self.activation else "no activation"
        return f"{self.weights} weights, mostly {kind}, {norm}, {skips}, longest unaided chain {self.chain}, {shape}"


def unlike(first: str, second: str) -> float:
    """How different two shapes of activations are: those that pass one side of zero are akin."""
    if first == second:
        return 0.0
    return 0.75 if {first, second} == {"relu", "smooth"} else 3.0


def shape(kind: str) -> str:
    """The shape of an activation, by the operation that it is."""
    return next((name for name, kinds in SHAPES.items() if kind in kinds), kind)
