"""Candidates made for what was found wrong with another one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from initium.diagnose import HealthReport
from initium.plan.assignment import Assignment
from initium.record import Record
from initium.record.inventory import ParameterInfo
from initium.record.roles import Part
from initium.theory.criticality import rates
from initium.theory.gains import ACTIVATIONS

SHIFTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
SPARE = 0.9
"""Share of the limit that the gradient's span is brought to, by theory."""


def shifted(
    seen: Record, report: HealthReport, assignments: tuple[Assignment, ...]
) -> tuple[Assignment, ...]:
    """The assignments with biases and norm shifts that move activations to where they bend less.

    A norm sets the scale of the signal anew, not that of the gradient: through norm and activation it grows by the
    activation's bend log(E f'^2 / Var f) a layer, as through rows without mean, whatever the weights. For
    f(z + s) the bend falls with s. Nothing changes unless the gradient's span is past its limit.
    """
    span = next((one for one in report.criteria if one.name == "gradient span"), None)
    if span is None or span.used is None or span.level != "error":
        return assignments
    share = SPARE / span.used
    return tuple(_shifted(one, seen, share) for one in assignments)


def _shifted(one: Assignment, seen: Record, share: float) -> Assignment:
    part, info = seen.parts[one.name], seen.parameter(one.name)
    kinds = [word.removeprefix("activation:") for word in part.follows if word.startswith("activation:")]
    if len(kinds) != 1 or len(part.follows) != 1 or not _plain(one, part, info):
        return one
    shift = shift_for(kinds[0], share)
    if shift == 0.0:
        return one
    reason = (
        f"moved by {shift:g} the {kinds[0]} after it bends less, so gradients grow less on their way back"
    )
    return replace(
        one,
        method="constant",
        params={"value": shift},
        rule="shift",
        reason=reason,
        found={},
        source="mean-field theory",
    )


def _plain(one: Assignment, part: Part, info: ParameterInfo) -> bool:
    """Whether the parameter adds nothing as planned, by nobody's wish."""
    if (
        part.role not in ("bias", "norm_shift")
        or info.frozen
        or info.tied
        or info.loaded
        or one.rule == "rule"
    ):
        return False
    return one.method == "zeros" or (one.keeps and info.zero)


@cache
def shift_for(kind: str, share: float) -> float:
    """The least shift at which the activation's bend falls to that share; the largest if none does; 0 for odd ones."""
    function = ACTIVATIONS.get(kind)
    if function is None:
        return 0.0
    plain = rates(function, 1.0).bend
    best = 0.0
    for shift in SHIFTS:
        bend = rates(lambda z, shift=shift: function(z + shift), 1.0).bend
        if bend >= plain:
            return 0.0
        best = shift
        if bend <= share * plain:
            break
    return best
