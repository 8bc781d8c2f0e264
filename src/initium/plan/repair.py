"""Repair: change only what the diagnosis finds unhealthy."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from initium.diagnose import HealthReport, report_of
from initium.plan.auto import decisions
from initium.plan.auto.calibration_split import first_run
from initium.plan.auto.norm_shifts import shifted
from initium.plan.build import assign, check_seed, try_out
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.records.receipt import Receipt
from initium.plan.records.rules import Rule
from initium.plan.write.apply import apply_assignments
from initium.record import Record
from initium.record.record import Forward, Inputs, Loss, check_model
from initium.record.run.noise_inputs import with_data


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
    model = check_model(model)
    check_seed(seed)
    inputs, _ = with_data(model, inputs, seed)
    run, seen = first_run(model, inputs, forward=forward, loss=loss, seed=seed)
    found = report_of(seen)
    kept = assign(seen, decisions.shipped, {}, sound=False)
    if found.healthy:
        return replace(
            apply_assignments(model, kept, seed=seed),
            before=found.badness,
            after=found.badness,
            verdict=found.verdict,
        )
    for name, assignments in _attempts(seen, found, kept):
        candidate = try_out(model, run, seen, name, assignments)
        if candidate.report.healthy and candidate.report.badness < found.badness:
            receipt = apply_assignments(model, candidate.assignments, seed=seed)
            return replace(
                receipt,
                before=found.badness,
                after=candidate.report.badness,
                verdict=candidate.report.verdict,
            )
    receipt = apply_assignments(model, kept, seed=seed)
    note = "no repair that was tried makes the model healthy; it is as it was"
    return replace(receipt, before=found.badness, after=found.badness, verdict=found.verdict, notes=(note,))


def _attempts(
    seen: Record, found: HealthReport, kept: tuple[Assignment, ...]
) -> list[tuple[str, tuple[Assignment, ...]]]:
    """Repairs from the narrowest to the widest, without repetition."""
    auto = {one.name: one for one in assign(seen, decisions.auto, {}, sound=False)}
    ruled = _by_findings(seen, found)
    blamed = {
        name for finding in found.findings if finding.severity == "error" for name in finding.where
    } & auto.keys()
    named = {name: auto[name] for name in blamed}
    options = (
        ("rules", ruled),
        ("shifted", {one.name: one for one in shifted(seen, found, kept) if one.rule == "shift"}),
        ("named", {**named, **ruled}),
        ("all", {name: one for name, one in auto.items() if one.method != KEEP} | ruled),
    )
    attempts = [
        (label, tuple(change.get(one.name, one) for one in kept)) for label, change in options if change
    ]
    return [attempt for i, attempt in enumerate(attempts) if attempt[1] not in [a for _, a in attempts[:i]]]


def _by_findings(seen: Record, found: HealthReport) -> dict[str, Assignment]:
    """The assignments that the findings' own rules ask for."""
    changes: dict[str, Assignment] = {}
    context = decisions.Context(seen, sound=False)
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
            if rule.names(part) and decisions.protected(part, info, context) is None:
                layer = replace(part.layer, shape=info.shape)
                reason = f"{finding.code}: {finding.remedy}"
                changes.setdefault(
                    part.name,
                    Assignment(part.name, rule.method, layer, part.role, "repair", reason, rule.params),
                )
    return changes
