"""The checks: each looks at one record and its measures and says what it is sure of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from initium.diagnose.checks.backward import check_backward
from initium.diagnose.checks.collapse import check_collapse
from initium.diagnose.checks.coverage import check_coverage
from initium.diagnose.checks.forward import check_forward
from initium.diagnose.checks.head import check_head
from initium.diagnose.checks.precision import check_precision
from initium.diagnose.checks.symmetry import check_symmetry
from initium.diagnose.checks.units import check_units
from initium.diagnose.finding import Finding, worst_first
from initium.diagnose.measures import Measures

Check = Callable[[Measures], Iterator[Finding]]

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


def run_checks(measures: Measures) -> tuple[Finding, ...]:
    """All findings, worst first."""
    return worst_first([finding for check in CHECKS for finding in check(measures)])
