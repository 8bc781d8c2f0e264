"""Candidates: full sets of assignments, each tried on the model itself before one is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from initium.diagnose import HealthReport, report_of
from initium.plan.policy import Run
from initium.plan.records.assignment import Assignment
from initium.plan.scales.calibrate import calibrate
from initium.plan.write.apply import rollback, write
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Record

Assignments = tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A full set of assignments, and how the model fares with them.

    `ours`: whether these are values that initium wrote earlier, and no author's.
    """

    name: str
    assignments: Assignments
    report: HealthReport
    notes: tuple[str, ...] = ()
    ours: bool = False


Attempt = tuple[str, Callable[[Candidate], Assignments]]
"""The name of a candidate, and what makes it of the one that was tried before."""


def first_sound(
    run: Run, seen: Record, shipped: Candidate, attempts: Iterable[Attempt]
) -> tuple[Candidate | None, list[Candidate]]:
    """The first candidate that is sound and no worse than the model as found, and all that were tried until then."""
    tried = [shipped]
    for name, make in attempts:
        assignments = make(tried[-1])
        if assignments in [_undrawn(one) for one in tried[1:]]:
            continue
        candidate = try_out(run, seen, name, assignments)
        if is_sound(candidate, shipped):
            return candidate, tried
        tried.append(candidate)
    return None, tried


def _undrawn(candidate: Candidate) -> Assignments:
    """The assignments as they were before calibration."""
    return tuple(replace(one, scale=1.0) for one in candidate.assignments)


def is_sound(candidate: Candidate, shipped: Candidate) -> bool:
    """Whether the model is healthy with it, and by no measure worse than as its author left it.

    A start that initium wrote is no bar for the next one: seeds differ a little in every measure.
    """
    if not candidate.report.healthy:
        return False
    if shipped.ours:
        return True
    mine, theirs = illness(candidate.report), illness(shipped.report)
    return all(one <= other for one, other in zip(mine, theirs, strict=True))


def illness(report: HealthReport) -> tuple[float, float]:
    """Verdict and badness, less is better: neither a finding nor a measure may get worse."""
    return float(("healthy", "warning", "unhealthy").index(report.verdict)), report.badness


def notes_of(candidate: Candidate, run: Run) -> tuple[str, ...]:
    """What the reader should know of the candidate that is taken: also what is still wrong, and what to do about it."""
    errors = (one for one in candidate.report.findings if one.severity == "error")
    remaining = (f"still {one}; {one.why}. What to do: {one.remedy}" for one in errors)
    return (*candidate.notes, *remaining, *((run.note,) if run.note else ()))


def try_out(
    run: Run, seen: Record, name: str, assignments: Assignments, *, calibrated: bool = True
) -> Candidate:
    """Draw, calibrate and examine a candidate on the model, then put the model's own weights back."""
    changing = [one for one in assignments if not one.keeps]
    if not changing:
        return Candidate(name, assignments, report_of(seen))
    parameters = named_tensors(run.model)
    with rollback(parameters, [one.name for one in changing], always=True):
        write(parameters, changing, run.seed)
        notes: tuple[str, ...] = ()
        if calibrated:
            assignments, notes = _calibrated(run, seen, assignments)
        report = report_of(run.record())
    return Candidate(name, assignments, report, notes)


def _calibrated(run: Run, seen: Record, assignments: Assignments) -> tuple[Assignments, tuple[str, ...]]:
    """The assignments with the scales that one sweep over the written weights finds, and what it could not scale."""
    sweep = calibrate(run.model, run.calibration, seen, assignments, forward=run.forward, seed=run.seed)
    scaled = tuple(
        replace(one, scale=one.scale * sweep.factors[one.name]) if one.name in sweep.factors else one
        for one in assignments
    )
    failed = (f"{name} could not be calibrated: its output was zero or not finite" for name in sweep.failed)
    return scaled, tuple(failed)
