"""Candidates made for what was found wrong with another one."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from torch import Tensor

from initium.diagnose import HealthReport
from initium.diagnose.limits import BADNESS_ONSET
from initium.plan.records.assignment import Assignment
from initium.plan.structure.chains import region_after, settable
from initium.record import Record
from initium.record.tape.activation_curves import GRID
from initium.record.tape.ops import SAMPLE_NORMS
from initium.theory.normed import Over, shift_for
from initium.theory.sampled import Sampled

SHIFTED_SPAN = 0.32
"""Share of its limit that the gradient's span is brought to, by theory, where norms have shifts and it is past the
`BADNESS_ONSET`.

Deep nets of norms then train faster; those that span less than half of the limit do not.
evidence: E-norm-shifts, E-short-spans, P-gradient-span
"""
BIASED_SPAN = 0.9
"""The same for biases, which move past the limit only."""


def shifted(
    seen: Record, report: HealthReport, assignments: tuple[Assignment, ...]
) -> tuple[Assignment, ...]:
    """The assignments with norm shifts and biases that move activations to where they bend less.

    A norm sets the scale of the signal anew, not that of the gradient: that grows by chi a layer, whatever the weights,
    and less by a shift (`initium.theory.normed`). As little is moved as brings the gradient's span down to
    `SHIFTED_SPAN`, or, by biases, below its limit. What a head reads is not moved: a mean that all samples share would
    be the first thing that it learns of. Gains are left alone: smaller ones helped some nets and harmed others
    (evidence: E-norm-gains, E-last-norm-gains).
    """
    span = gradient_span(report)
    if span <= BADNESS_ONSET:
        return assignments
    shares = {"norm_shift": SHIFTED_SPAN / span}
    if span > 1.0:
        shares["bias"] = BIASED_SPAN / span
    shifts = Shifts(seen, shares)
    return tuple(shifts.of(one) for one in assignments)


def gradient_span(report: HealthReport) -> float:
    """How much of its limit the span of gradients has used up."""
    return next((one.used or 0.0 for one in report.criteria if one.name == "gradient span"), 0.0)


class Shifts:
    """What biases and norm shifts start as.

    Args:
        seen: the record.
        shares: role -> share that the bend of the activation after it should fall to.
    """

    def __init__(self, seen: Record, shares: dict[str, float]) -> None:
        self._seen, self._shares = seen, shares
        self._heads = {node for part in seen.parts.values() if part.role == "head" for node in part.nodes}
        self._known: dict[tuple[int, float, Over], float] = {}

    def of(self, one: Assignment) -> Assignment:
        """The assignment, moved if its parameter should be and can."""
        part = self._seen.parts[one.name]
        share = self._shares.get(part.role)
        if share is None or not _is_plain(one, self._seen):
            return one
        shift = self._shift(part.nodes[0], share)
        if shift == 0.0:
            return one
        reason = (
            f"moved by {shift:g} the function after it bends less, so gradients grow less on their way back"
        )
        return replace(
            one, method="constant", params={"value": shift}, rule="shift", reason=reason, found={},
            source="Yang+ 2019, 1902.08129",
        )  # fmt: skip

    def _shift(self, node: int, share: float) -> float:
        values = _function_after(self._seen, node, self._heads)
        if values is None:
            return 0.0
        over: Over = "units" if self._seen.graph.nodes[node].kind in SAMPLE_NORMS else "samples"
        key = id(values), share, over
        if key not in self._known:
            self._known[key] = shift_for(Sampled(GRID, values), share, over=over)
        return self._known[key]


def _function_after(seen: Record, node: int, heads: Set[int]) -> Tensor | None:
    """What pointwise operations make of a node's output, on the grid; None if several do, or a head reads it."""
    found = region_after(seen, node)
    if found is None or not heads.isdisjoint(found[1]):
        return None
    inside, outside = found
    ends = {source for taker in outside for source in seen.graph.nodes[taker].inputs} & inside
    curves = [seen.curves[end].values for end in ends if end in seen.curves]
    if not curves or len(curves) < len(ends) or not bool(curves[0].isfinite().all()):
        return None
    return curves[0] if all(one is curves[0] or one.equal(curves[0]) for one in curves) else None


def _is_plain(one: Assignment, seen: Record) -> bool:
    """Whether the parameter adds nothing as planned, by nobody's wish."""
    if one.rule == "rule" or not seen.parts[one.name].nodes or not all(settable(seen, (one.name,))):
        return False
    return one.method == "zeros" or (one.keeps and seen.parameter(one.name).zero)
