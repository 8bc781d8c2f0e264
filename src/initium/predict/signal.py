"""What theory says of one value, and how it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from initium.record.parameters.weight_structure import INDEPENDENT, Structure
from initium.theory.laws import Law, gaussian
from initium.theory.profiles import Profile, raised


class Outside(Exception):  # noqa: N818 - no error: the theory's own word for its limits
    """An operation that mean-field theory does not speak of; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What theory needs to know of one weight.

    Args:
        second: E w^2.
        structure: how its rows depart from independent draws.
        mean: E w, of a bias or another vector.
    """

    second: float
    structure: Structure = INDEPENDENT
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Signal:
    """What theory says of one value.

    Args:
        second: E x^2 over elements, samples and draws of the weights.
        mean: E x.
        carried: variance of log E x^2 that the weights before its root leave open.
        values: number of independent values that the mean square is taken over; inf for a known one.
        law: how x is distributed, where that is known.
        root: the node whose value the law is a function of.
        drawn: the last weighted node behind it.
        profile: how the power of its root lies over a map.
        reason: why it was restarted from a measurement since the last weighted node; "" if it was not.
    """

    second: float
    mean: float = 0.0
    carried: float = 0.0
    values: float = math.inf
    law: Law | None = None
    root: int = -1
    drawn: int = -1
    reason: str = ""
    profile: Profile = ()

    @property
    def over_map(self) -> Profile:
        """How its power lies over a map."""
        return raised(self.profile, self.law.slope) if self.law is not None else self.profile

    @property
    def variance(self) -> float:
        """Variance of log E x^2 over draws of the weights."""
        if self.law is None:
            return self.carried
        return self.law.slope**2 * self.carried + self.law.excess / self.values


def from_law(x: Signal, law: Law, root: int | None = None) -> Signal:
    """The signal of a function of x's root."""
    moved = replace(x, second=law.second, mean=law.mean, law=law)
    if root is None:
        return moved
    return replace(moved, carried=x.variance, values=math.inf, root=root, profile=x.over_map)


def normal_law(mean: float, second: float) -> Law | None:
    """A Gaussian of that mean and second moment: the stand-in for a law that is not known in full."""
    variance = second - mean**2
    return gaussian(variance).map(lambda v: v + mean).rooted() if variance > 0 else None


def scaled(x: Signal, mean: float, second: float) -> Signal:
    """X times a value of that mean and second moment."""
    size = math.copysign(math.sqrt(second), mean)
    law = x.law.map(lambda v: v * size) if x.law is not None else None
    return replace(x, second=x.second * second, mean=x.mean * mean, law=law)
