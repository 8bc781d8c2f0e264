"""The checks: each looks at one record and its measures and says what it is sure of."""

from __future__ import annotations

from initium.diagnose.checks.backward import check_backward
from initium.diagnose.checks.check_contract import Check, findings_of, verify
from initium.diagnose.checks.collapse import check_collapse
from initium.diagnose.checks.coverage import check_coverage
from initium.diagnose.checks.forward import check_forward
from initium.diagnose.checks.head import check_head
from initium.diagnose.checks.precision import check_precision
from initium.diagnose.checks.symmetry import check_symmetry
from initium.diagnose.checks.units import check_units
from initium.diagnose.finding import Finding, worst_first
from initium.diagnose.measures import Measures

CHECKS: tuple[Check, ...] = (
    check_forward,
    check_backward,
    check_symmetry,
    check_units,
    check_collapse,
    check_head,
    check_coverage,
    check_precision,
)
"""One function for each family of codes, IN1 to IN8."""


EXPLAINS: dict[str, str] = {
    "IN701": "IN1 IN2 IN3 IN4 IN5 IN6 IN8",
    "IN702": "IN1 IN2 IN3 IN4 IN5 IN6 IN8",
    "IN703": "IN1 IN2 IN4 IN5 IN6 IN8",
    "IN104": "IN101 IN102 IN103 IN2 IN4 IN5 IN6 IN8",
    "IN203": "IN201 IN202 IN204",
    "IN301": "IN1 IN2 IN302 IN4 IN5 IN602 IN603",
    "IN101": "IN103 IN401",
    "IN102": "IN103 IN402 IN601 IN602 IN603 IN8",
    "IN501": "IN401",
    "IN602": "IN601 IN603",
}
"""Cause -> beginnings of the codes that are its consequences: one finding for one cause."""


def verify_checks() -> None:
    """Raise ContractError unless every check can be called as one; asked before a model runs."""
    verify(CHECKS)


def run_checks(measures: Measures) -> tuple[Finding, ...]:
    """All findings, worst first, without those that another error explains."""
    found = [finding for check in CHECKS for finding in findings_of(check, measures)]
    causes = {finding.code for finding in found if finding.severity == "error"}
    return worst_first([finding for finding in found if not _explained(finding.code, causes)])


def _explained(code: str, causes: set[str]) -> bool:
    return any(
        code != cause and code.startswith(tuple(EXPLAINS[cause].split()))
        for cause in causes
        if cause in EXPLAINS
    )
