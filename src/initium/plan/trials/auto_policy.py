"""Policy `auto`: decide by role, calibrate, verify, and never leave a model less healthy than it was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from initium.diagnose import HealthReport, report_of
from initium.plan.auto import decisions
from initium.plan.auto.norm_shifts import gradient_span, shifted
from initium.plan.everywhere.shipped_policy import as_shipped
from initium.plan.policy import Decided, Need, Run
from initium.plan.scales.by_theory import by_theory
from initium.plan.trials.candidates import (
    Attempt,
    Candidate,
    first_sound,
    illness,
    is_sound,
    notes_of,
    try_out,
)
from initium.record.record import Record


@dataclass(frozen=True, slots=True)
class Auto:
    """The first candidate that is sound and no worse than the model as found; else the least bad of all.

    A model on the meta device has nothing to calibrate or to verify: its scales are by theory.
    """

    needs: Need = "held_out"

    def decide(self, record: Record, run: Run) -> Decided:
        """The best candidate, with its diagnosis and that of the model as found."""
        if _is_meta(record):
            return by_theory_alone(record, run)
        found = report_of(record)
        best = _choose(record, run, found)
        return Decided(best.assignments, notes_of(best, run), best.name, found, best.report)


def by_theory_alone(record: Record, run: Run) -> Decided:
    """The first candidate with the scales that theory gives, from a record alone."""
    first = decisions.decided(record, run.ruled, sound=False)
    scaled = by_theory(first, record, run.ruled, seed=run.seed)
    without = "a meta-device tape without data" if _is_meta(record) else "a record, which holds no tensors"
    note = f"theory only: made from {without}, so no scale was calibrated and nothing was verified"
    return Decided(scaled, (note,), "theory")


def _is_meta(record: Record) -> bool:
    return any(info.meta for info in record.parameters)


def _choose(seen: Record, run: Run, found: HealthReport) -> Candidate:
    kept = as_shipped(seen, run)
    shipped = (
        try_out(run, seen, "shipped", kept, calibrated=False)
        if run.ruled
        else Candidate("shipped", kept, found)
    )
    shipped = replace(shipped, ours=any(info.written for info in seen.parameters))
    sound, tried = first_sound(run, seen, shipped, _attempts(seen, found, run))
    if sound is not None:
        return _with_norm_shifts(seen, run, sound, shipped)
    best = min(tried, key=lambda one: illness(one.report))
    note = f"no candidate was better than {best.name}: tried {', '.join(one.name for one in tried)}"
    return replace(best, notes=(*best.notes, note))


def _attempts(seen: Record, found: HealthReport, run: Run) -> Iterator[Attempt]:
    """What `auto` decides, then the remedies for what is wrong with it."""
    auto = decisions.decided(seen, run.ruled, sound=found.healthy)

    yield "auto", lambda _: auto
    yield "shifted", lambda last: shifted(seen, last.report, auto)
    yield "normal", lambda _: tuple(decisions.without_geometry(one, seen) for one in auto)


def _with_norm_shifts(seen: Record, run: Run, sound: Candidate, shipped: Candidate) -> Candidate:
    """The candidate with norm shifts, if gradients grow less by them and it is as sound; else as it was."""
    moved = shifted(seen, sound.report, sound.assignments)
    if moved == sound.assignments:
        return sound
    candidate = try_out(run, seen, "shifted", moved)
    is_calmer = gradient_span(candidate.report) < gradient_span(sound.report)
    return candidate if is_calmer and is_sound(candidate, shipped) else sound
