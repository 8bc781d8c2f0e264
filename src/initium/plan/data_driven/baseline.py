"""What a data-driven method starts from: the draws whose scales it finds, and the model to find them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from initium.methods.catalogue import find
from initium.methods.method import Method, Value
from initium.plan.everywhere.method_policy import Everywhere
from initium.plan.everywhere.protection import keep
from initium.plan.policy import Run
from initium.plan.records.assignment import Assignment
from initium.record.record import Record

Found = tuple[tuple[Assignment, ...], tuple[str, ...]]
"""The assignments with the scales that a method found, and what the reader should know."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The draws before any scale is found.

    Args:
        method: the method that finds the scales.
        values: all of its parameters.
        record: one run of the model as found.
        run: how to run the model again.
        assignments: one a parameter: a draw for weights, zero for plain biases, the rest kept.
    """

    method: Method
    values: Mapping[str, Value]
    record: Record
    run: Run
    assignments: tuple[Assignment, ...]

    @property
    def rule(self) -> str:
        """The rule that assignments name."""
        return f"policy {self.method.name}"

    @property
    def tuned(self) -> tuple[str, ...]:
        """The parameters whose scale is the method's to choose."""
        return tuple(one.name for one in self.assignments if _is_tunable(one, self.record))

    def scaled(self, factors: Mapping[str, float]) -> tuple[Assignment, ...]:
        """The assignments with these factors on their scales."""
        return tuple(
            replace(one, scale=one.scale * factors[one.name]) if one.name in factors else one
            for one in self.assignments
        )


def baseline_of(method: Method, values: Mapping[str, Value], base: str, record: Record, run: Run) -> Baseline:
    """The base method for every weight that the method serves, zero for plain biases; the user's rules come first."""
    started = Everywhere(find(base)).decide(record, run).assignments
    named = tuple(_named(method, one, record) for one in started)
    return Baseline(method, values, record, run, named)


def _named(method: Method, one: Assignment, record: Record) -> Assignment:
    """The assignment under the name of the data-driven method; kept where that serves no such layer."""
    if one.rule == "rule" or one.keeps:
        return one
    if one.layer.kind not in (*method.layers, "vector"):
        reason = f"{method.name} is for weights of kind {' or '.join(method.layers)}"
        return keep(record.parts[one.name], record.parameter(one.name), "not a weight", reason)
    one = replace(one, rule=f"policy {method.name}", source=str(method.paper))
    if one.method == "zeros":
        return one
    return replace(one, reason=f"{one.method}, at the scale that {method.name} found")


def _is_tunable(one: Assignment, record: Record) -> bool:
    """Whether it is a drawn matrix, not the user's own, whose scale no operation takes out."""
    part = record.parts[one.name]
    return (
        not one.keeps
        and one.rule != "rule"
        and one.method != "zeros"  # no factor gives it a variance
        and len(one.layer.shape) > 1
        and not part.standardized  # its scale is divided out before use
        and not part.packed  # weight normalization: its gain sets the scale
    )
