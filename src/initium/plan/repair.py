"""Repair: change only what the diagnosis finds unhealthy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from torch import nn

from initium.diagnose import HealthReport, report_of
from initium.plan.auto import decisions
from initium.plan.auto.norm_shifts import shifted
from initium.plan.build import check_seed
from initium.plan.everywhere.protection import protected
from initium.plan.everywhere.shipped_policy import as_shipped
from initium.plan.look import look
from initium.plan.records.assignment import Assignment
from initium.plan.records.receipt import Receipt
from initium.plan.records.rules import Rule
from initium.plan.trials.candidates import Assignments, Attempt, Candidate, first_sound, notes_of
from initium.plan.write.apply import apply_assignments
from initium.record.record import Forward, Inputs, Loss, Record


def repair_(
    model: nn.Module,
    inputs: Inputs,
    *,
    seed: int = 0,
    forward: Forward | None = None,
    loss: Loss | None = None,
) -> Receipt:
    """Change only the parameters that `diagnose` finds at fault; a healthy model is left as it is.

    The narrowest repair that makes the model healthy is kept: first the findings' own rules, then the parameters they
    name, then every weight that `auto` would set. If none helps, the model is left as it was and the receipt says so.

    Args:
        model: any module with storage.
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or, where there are no data, the
            shape of one sample as in (3, 224, 224), which is run on noise.
        seed: of every draw.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar.

    Raises:
        UsageError, ModelRunError, ApplyError: as `init_`; the model is as it was.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> _ = torch.nn.init.zeros_(net[0].weight)
        >>> initium.repair_(net, torch.randn(32, 8)).written
        ('0.weight',)
    """
    check_seed(seed)
    run, seen, made_up = look(model, inputs, "held_out", forward=forward, loss=loss, seed=seed)
    found = report_of(seen)
    shipped = Candidate("shipped", as_shipped(seen, run), found)
    left = None if found.healthy else "no repair that was tried makes the model healthy; it is as it was"
    attempts = () if found.healthy else _attempts(seen, found, shipped.assignments)
    sound, _ = first_sound(run, seen, shipped, attempts)
    best = sound or replace(shipped, notes=(left,) if left else ())
    receipt = apply_assignments(run.model, best.assignments, seed=seed)
    return replace(
        receipt,
        before=found.badness,
        after=best.report.badness,
        verdict=best.report.verdict,
        notes=(*notes_of(best, run), *((made_up,) if made_up else ())),
    )


def _attempts(seen: Record, found: HealthReport, kept: Assignments) -> Iterator[Attempt]:
    """Repairs from the narrowest to the widest."""
    auto = {one.name: one for one in decisions.decided(seen, {}, sound=False)}
    ruled = _by_findings(seen, found)
    errors = [finding for finding in found.findings if finding.severity == "error"]
    named = {name: auto[name] for finding in errors for name in finding.where if name in auto}
    changes = (
        ("rules", ruled),
        ("shifted", {one.name: one for one in shifted(seen, found, kept) if one.rule == "shift"}),
        ("named", {**named, **ruled}),
        ("all", {name: one for name, one in auto.items() if not one.keeps} | ruled),
    )
    for label, change in changes:
        if change:
            yield label, _always(tuple(change.get(one.name, one) for one in kept))


def _always(made: Assignments) -> Callable[[Candidate], Assignments]:
    """What makes the same candidate, whatever was tried before."""
    return lambda _: made


def _by_findings(seen: Record, found: HealthReport) -> dict[str, Assignment]:
    """The assignments that the findings' own rules ask for."""
    changes: dict[str, Assignment] = {}
    for finding in found.findings:
        if finding.rule is None or finding.severity != "error":
            continue
        rule = Rule(
            where=str(finding.rule["where"]),
            method=str(finding.rule["method"]),
            **dict(finding.rule.get("params", {})),
        )
        for part in seen.parts.values():
            info = seen.parameter(part.name)
            if rule.names(part) and protected(part, info) is None:
                layer = replace(part.layer, shape=info.shape)
                reason = f"{finding.code}: {finding.remedy}"
                changes.setdefault(
                    part.name,
                    Assignment(part.name, rule.method, layer, part.role, "repair", reason, rule.params),
                )
    return changes
