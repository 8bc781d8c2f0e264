"""What one parameter shall start as, and why: plain immutable data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initium.errors import UsageError
from initium.methods.catalogue import find
from initium.methods.kit.layout import times_units
from initium.methods.method import Method, Value
from initium.random import Draw
from initium.theory.layer import Layer

KEEP = "keep"
"""The method name of a parameter that is left as it is."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The start of one parameter.

    Args:
        name: first name of the parameter.
        method: name of a method, or "keep".
        layer: geometry that the method is given; `layer.shape` is the parameter's shape.
        role: the part it plays in the model.
        rule: name of the rule that decided.
        reason: one sentence.
        params: parameters of the method, defaults left out.
        scale: calibrated factor on the method's draw.
        units: calibrated factor of every unit (output channel), on top of `scale`; () means 1 each.
        source: where the rule comes from.
        target: second moment that its output is calibrated to.
        found: for a kept parameter, method and parameters of a draw like the values that were found; empty if unknown.
        own: the method itself where the catalogue has none of that name; it stands in no file.
    """

    name: str
    method: str
    layer: Layer
    role: str
    rule: str
    reason: str
    params: Mapping[str, Value] = field(default_factory=dict)
    scale: float = 1.0
    source: str = ""
    target: float = 1.0
    found: Mapping[str, Value] = field(default_factory=dict)
    units: tuple[float, ...] = ()
    own: Method | None = None

    @property
    def keeps(self) -> bool:
        """Whether the parameter is left as it is."""
        return self.method == KEEP

    def draw(self) -> Draw:
        """The draw that fills the parameter.

        Raises:
            LayerError: the method cannot serve the layer.
            UsageError: not one factor a unit.
        """
        draw = (self.own or find(self.method))(self.layer, **self.params)
        draw = draw if self.scale == 1.0 else draw.scaled(self.scale)
        return times_units(draw, self.layer, self._checked_units()) if self.units else draw

    def _checked_units(self) -> tuple[float, ...]:
        if len(self.units) != self.layer.num_out:
            raise UsageError(
                f"{len(self.units)} factors for the {self.layer.num_out} units of {self.name!r}",
                expected="one factor a unit, or none",
                remedy="make the plan again",
            )
        return self.units

    def as_found(self) -> Draw | None:
        """A draw like the values that the parameter held when the plan was made; None if they are not known."""
        if not self.found:
            return None
        params = dict(self.found)
        return find(str(params.pop("method")))(self.layer, **params)


def check_assignments(assignments: tuple[Assignment, ...]) -> None:
    """Raise if two assignments are for one parameter, or one cannot be drawn."""
    seen: set[str] = set()
    for one in assignments:
        if one.name in seen:
            raise UsageError(
                f"two assignments for parameter {one.name!r}",
                expected="one assignment a parameter",
                remedy="remove one of them from the plan",
            )
        seen.add(one.name)
        if one.keeps and one.params:
            raise UsageError(
                f"{one.name!r} is kept and has the parameters {', '.join(one.params)}",
                expected="no parameters: a kept parameter is not drawn",
                remedy="remove them, or name the method that takes them",
            )
        if one.keeps:
            one.as_found()
        else:
            one.draw()
