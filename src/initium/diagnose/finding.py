"""One finding: where, what was seen, what was expected, why it matters, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from initium.report import some

Severity = Literal["error", "warning", "info"]
"""`error`: the model will hardly learn as it stands. `warning`: it may suffer. `info`: worth knowing."""

RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a diagnosis found.

    Args:
        code: stable code; its first digit names the family ("IN101" is of the forward signal).
        severity: see `Severity`.
        where: names of parameters, or paths of modules, where it begins.
        seen: what was measured there.
        expected: what a sound start shows.
        why: what it does to training.
        remedy: what to do.
        rule: plain data {"where", "method", "params"} of a plan rule that mends it; None where no single rule does.
        cost: what it adds to `HealthReport.badness` beyond the criteria.

    Example:
        >>> print(Finding("IN101", "error", ("0.weight",), "the signal vanishes", "", "", "start it anew"))
        IN101 error: 0.weight: the signal vanishes
    """

    code: str
    severity: Severity
    where: tuple[str, ...]
    seen: str
    expected: str
    why: str
    remedy: str
    rule: Mapping[str, Any] | None = None
    cost: float = 0.0

    @property
    def title(self) -> str:
        """Where and what was seen, in one line."""
        return f"{self.place}: {self.seen}" if self.where else self.seen

    @property
    def place(self) -> str:
        """The names, the first few of many."""
        return some([name or "(the model itself)" for name in self.where])

    def __str__(self) -> str:
        return f"{self.code} {self.severity}: {self.title}"


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sorted by severity, then by cost, then by code."""
    return tuple(sorted(findings, key=lambda one: (RANK[one.severity], -one.cost, one.code)))


def plan_rule(where: str, method: str, **params: float | str) -> dict[str, Any]:
    """The plain data of a rule; `where` is the name of a parameter, or a role."""
    return {"where": where.replace("[", "[[]"), "method": method, "params": params}
