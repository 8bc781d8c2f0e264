"""The record of a recipe: lines that say which parameters start as what, in words that the tape can answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from initium.errors import UsageError, unknown_name
from initium.methods.catalogue import find
from initium.methods.method import Value
from initium.plan.recipes.vocabulary import WORDS, unknown

Measure = Literal[
    "fan_in",
    "branches",
    "layers",
    "layer",
    "branch_weights",
    "heads",
    "levels",
    "points",
    "grid_side",
    "channels",
]
"""A number that a line takes from the record: `fan_in` of the weight (torch's), or of the weight a bias belongs to;
`branches` on the stream; `layers`, half of them; `layer`, the number of its pair of branches from 0;
`branch_weights` on its branch; `heads`, `levels` and `points` of a deformable attention; `grid_side`, the root of the
number of places it predicts at; `channels` it puts out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A value that is read off the record for each parameter."""

    what: Measure


@dataclass(frozen=True, slots=True)
class Start:
    """A method and its parameters.

    Args:
        method: of the catalogue.
        params: its parameters; a `Measured` one is taken from the record.

    Raises:
        UnknownNameError: a method or a parameter that does not exist.
        UsageError: a parameter out of range.
    """

    method: str
    params: Mapping[str, Value | Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        method = find(self.method)
        known = {param.name for param in method.params}
        for key in self.params.keys() - known:
            raise unknown_name(f"parameter of {method.name}", key, known)
        method.resolve(**self.fixed)

    @property
    def fixed(self) -> dict[str, Value]:
        """The parameters that do not depend on the record."""
        return {key: value for key, value in self.params.items() if not isinstance(value, Measured)}

    @property
    def measured(self) -> dict[str, Measured]:
        """The parameters that are taken from the record."""
        return {key: value for key, value in self.params.items() if isinstance(value, Measured)}


def start(method: str, **params: Value | Measured) -> Start:
    """Short for `Start`."""
    return Start(method, params)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a recipe: the parameters for which `where` holds, and how they start.

    Args:
        where: words of which all must hold (see `words`).
        start: how they start; None keeps them.
        bias: how the biases of these weights start, if this line sets them.
        whole: packed queries, keys and values are drawn as one matrix.

    Raises:
        UnknownNameError: a word that is not in the vocabulary.
    """

    where: str
    start: Start | None
    bias: Start | None = None
    whole: bool = False

    def __post_init__(self) -> None:
        for word in re.split(r"[ |]+", self.where):
            if unknown(word):
                raise unknown_name("word of a recipe", word, WORDS)


@dataclass(frozen=True, slots=True)
class Need:
    """What a model must show for a recipe to mean anything: a parameter for which `where` holds."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a part of the field starts its models.

    Args:
        name: of the library or the method, lower case.
        family: the file it is in.
        summary: one line.
        source: code or paper that it reproduces.
        lines: the first that holds for a parameter decides; one without a line is kept.
        needs: what the model must show.
        notes: where the source departs from its own paper, and where this departs from the source.
    """

    name: str
    family: str
    summary: str
    source: str
    lines: tuple[Line, ...]
    needs: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lines:
            raise UsageError(
                f"recipe {self.name!r} has no lines", expected="at least one", remedy="add a Line"
            )
