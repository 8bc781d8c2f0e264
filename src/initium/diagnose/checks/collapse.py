"""IN5xx: samples that the network can no longer tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose.finding import Finding, Severity, plan_rule
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint
from initium.report import number

LIMIT = 1e-3
MILD = 3e-3


def check_collapse(measures: Measures) -> Iterator[Finding]:
    """IN501: all samples look alike to the head."""
    share = measures.between
    if share is None or share >= MILD or measures.broken:
        return
    severity: Severity = "error" if share < LIMIT else "warning"
    begin = _begin(measures)
    yield Finding(
        "IN501",
        severity,
        begin.names if begin is not None else (),
        "the network hardly tells samples apart: "
        f"they differ in {number(share)} of the second moment of the last features",
        f"a share of at least {number(LIMIT)}",
        "the head sees the same features whatever the input, so only its bias can learn",
        "use zero biases, and weights that keep samples apart at this depth "
        "(orthogonal, or critical as initium.init_ finds)",
        plan_rule("weight", "orthogonal") if _has_chain(measures) else None,
    )


def _begin(measures: Measures) -> TrunkPoint | None:
    """The first point from which on samples stay alike."""
    first = None
    for point in reversed([p for p in measures.points if not math.isnan(p.between)]):
        if point.between >= MILD:
            break
        first = point
    return first


def _has_chain(measures: Measures) -> bool:
    return any(part.role == "weight" for part in measures.record.parts.values())
