"""`diagnose`: one forward and one backward, and what they say of a model's start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import nn

from initium.codec import Stored
from initium.diagnose.checks import run_checks, verify_checks
from initium.diagnose.criteria import Criterion, badness_of, criteria_of
from initium.diagnose.finding import Finding
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint
from initium.errors import UnhealthyModelError, UsageError
from initium.record.parameters.inventory import has_meta
from initium.record.record import Forward, Inputs, Loss, Record, alone, inventory_only, record
from initium.report import Readable

Verdict = Literal["healthy", "warning", "unhealthy"]


@dataclass(frozen=True)
class HealthReport(Readable, Stored):
    """What a diagnosis found.

    Args:
        findings: worst first.
        criteria: the quantities that health is defined by, measured.
        measures: signal and gradient through the depth of the trunk.
        record: what was recorded; a report read back from JSON has only its totals.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
        >>> report = diagnose(net, torch.randn(32, 8))
        >>> report.healthy, [criterion.name for criterion in report.criteria][:2]
        (True, ['smallest signal', 'largest signal'])
        >>> HealthReport.from_json(report.to_json()).verdict
        'healthy'
    """

    findings: tuple[Finding, ...]
    criteria: tuple[Criterion, ...]
    measures: tuple[TrunkPoint, ...]
    record: Record

    @property
    def verdict(self) -> Verdict:
        """`unhealthy` if there is an error, `warning` if there is a warning, else `healthy`."""
        severities = {finding.severity for finding in self.findings}
        return "unhealthy" if "error" in severities else "warning" if "warning" in severities else "healthy"

    @property
    def healthy(self) -> bool:
        """Whether there is no error."""
        return self.verdict != "unhealthy"

    @property
    def badness(self) -> float:
        """How far from perfect, to compare two starts of one model; 0 is perfect, an unhealthy one has at least 1."""
        return badness_of(self.criteria) + sum(finding.cost for finding in self.findings)

    def __repr__(self) -> str:
        codes = ", ".join(finding.code for finding in self.findings if finding.severity != "info")
        return f"<HealthReport of {self.record.model}: {self.verdict}{' (' + codes + ')' if codes else ''}>"


def diagnose(
    model: nn.Module | Record,
    inputs: Inputs | None = None,
    *,
    forward: Forward | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> HealthReport:
    """Say whether a model's start is sound, from one forward and one backward; the model is as before afterwards.

    Args:
        model: any module; or a `Record` of one, which is all that a diagnosis needs.
        inputs: a tensor, a tuple of positional arguments, or a dict of keyword arguments; several samples, real ones
            if you have them. Without any, the shape of one sample as in (3, 224, 224), which is run on noise.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar; by default the sum of a dict of scalar losses, else a random projection.
        seed: of everything random during the run.

    Raises:
        UsageTypeError, UsageError: arguments that cannot be used.
        ModelRunError: the model raised; the cause is attached.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
        >>> initium.diagnose(net, torch.randn(32, 8)).verdict
        'healthy'
        >>> initium.diagnose(initium.record(net, torch.randn(32, 8))).verdict
        'healthy'
    """
    return report_of(_seen(model, inputs, forward=forward, loss=loss, seed=seed))


def _seen(
    model: nn.Module | Record,
    inputs: Inputs | None,
    *,
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> Record:
    """The record that a diagnosis is made from."""
    verify_checks()
    if isinstance(model, Record):
        return alone(model, inputs, forward, loss)
    if has_meta(model):
        return inventory_only(model)
    # None is refused with the other types that are no inputs
    return record(model, inputs, forward=forward, loss=loss, seed=seed)  # type: ignore[arg-type]


def report_of(seen: Record) -> HealthReport:
    """The report on a record that was taken already."""
    measures = Measures(seen)
    return HealthReport(run_checks(measures), criteria_of(measures), measures.points, seen)


def assert_healthy(
    model: nn.Module | Record,
    inputs: Inputs | None = None,
    *,
    forward: Forward | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    fail_on: Literal["error", "warning"] = "error",
) -> HealthReport:
    """Raise UnhealthyModelError, with the report in it, if `diagnose` finds an error (or a warning).

    Args:
        model: as for `diagnose`.
        inputs: as for `diagnose`.
        forward: as for `diagnose`.
        loss: as for `diagnose`.
        seed: as for `diagnose`.
        fail_on: "error" or "warning": the least severity that fails.

    Returns:
        The report of a model that passes.

    Raises:
        UnhealthyModelError: the model does not pass.
        UsageError: as `diagnose`, or another `fail_on`.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
        >>> assert_healthy(net, torch.randn(32, 8), fail_on="warning").verdict
        'healthy'
    """
    if fail_on not in ("error", "warning"):
        raise UsageError(
            f"fail_on is {fail_on!r}",
            expected="'error' or 'warning'",
            remedy="choose the least severity that fails",
        )
    report = diagnose(model, inputs, forward=forward, loss=loss, seed=seed)
    failing = [f for f in report.findings if f.severity == "error" or f.severity == fail_on]
    if failing:
        error = UnhealthyModelError(
            f"{report.record.model} is {report.verdict}: "
            + "; ".join(str(finding) for finding in failing[:3]),
            expected=failing[0].expected,
            remedy=f"{failing[0].remedy}; print(error.report) tells all",
        )
        error.report = report
        raise error
    return report
