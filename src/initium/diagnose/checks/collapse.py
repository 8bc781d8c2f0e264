"""IN5xx: samples that become the same on their way through the network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, Severity, plan_rule
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint
from initium.report import number


def check_collapse(measures: Measures) -> Iterator[Finding]:
    """IN501: the correlation of samples collapses to 1."""
    share = measures.between
    if share is None or share >= limits.BETWEEN_SHARE_WARNING or measures.broken:
        return
    severity: Severity = "error" if share < limits.BETWEEN_SHARE else "warning"
    begin = _begin(measures)
    yield Finding(
        "IN501",
        severity,
        begin.names if begin is not None else (),
        f"samples are correlated almost fully: {number(share)} of the second moment of the last features differs "
        "between them",
        f"a share of at least {number(limits.BETWEEN_SHARE)}",
        "the head sees the same features whatever the input, so only its bias can learn",
        "use zero biases, and weights that keep the sample correlation below 1 at this depth "
        "(orthogonal, or critical as initium.init_ finds)",
        plan_rule("weight", "orthogonal") if _has_chain(measures) else None,
    )


def _begin(measures: Measures) -> TrunkPoint | None:
    """The first point from which on the sample correlation stays near 1."""
    first = None
    for point in reversed([p for p in measures.points if not math.isnan(p.between)]):
        if point.between >= limits.BETWEEN_SHARE_WARNING:
            break
        first = point
    return first


def _has_chain(measures: Measures) -> bool:
    return any(part.role == "weight" for part in measures.record.parts.values())
