"""IN2xx: the gradient on its way back."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, Severity, plan_rule
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint
from initium.diagnose.zero_gates import shut_modules
from initium.report import number, percent, some


def check_backward(measures: Measures) -> Iterator[Finding]:
    """IN201 vanishing, IN202 exploding, IN204 weights without gradient."""
    if measures.broken:
        return
    yield from _span(measures)
    yield from _zero(measures)


def _span(measures: Measures) -> Iterator[Finding]:
    span = measures.gradient_span
    if span is None or span <= limits.WARNING_ONSET * limits.GRADIENT_DECADES:
        return
    severity: Severity = "error" if span > limits.GRADIENT_DECADES else "warning"
    points = measures.strengths
    low, high = min(points, key=lambda pair: pair[1]), max(points, key=lambda pair: pair[1])
    if low[1] == 0.0 and low[0].second == 0.0:
        return  # S is zero because the signal is: IN101 says so
    # Seen from the output: less at the shallow end means that it is lost on its way back.
    vanishing = low[0].depth < high[0].depth
    begin = _begin(points, vanishing)
    size = "vanishes altogether" if math.isinf(span) else f"changes by {number(span, 2)} decades"
    yield Finding(
        "IN201" if vanishing else "IN202",
        severity,
        begin.names,
        f"the gradient {'vanishes' if vanishing else 'explodes'} towards the input: S = |x dL/dx| {size}, "
        f"from {number(high[1] if vanishing else low[1])} to {number(low[1] if vanishing else high[1])}",
        f"S within {number(limits.GRADIENT_DECADES)} decades over all blocks",
        "early layers "
        + ("learn far slower than late ones" if vanishing else "take steps that wreck the late ones"),
        _remedy(measures, vanishing),
        _rule(measures),
    )


def _remedy(measures: Measures, vanishing: bool) -> str:
    if not vanishing and _normed(measures):
        return (
            "no weight before a norm can hold the gradient down: move norm shifts up, to where the functions after "
            "them are more nearly linear (initium.init_ does), or add skips"
        )
    return "use weights that carry the gradient back unchanged (initium.init_ does), or add norms or skips"


def _normed(measures: Measures) -> bool:
    """Whether norms or standardization take the scale of most weights out."""
    weights = [part for part in measures.record.parts.values() if part.layer.kind != "vector"]
    return 2 * sum(part.scale_free for part in weights) > len(weights)


def _begin(points: list[tuple[TrunkPoint, float]], vanishing: bool) -> TrunkPoint:
    """Going back from the output: the first point where S has left half of its span."""
    end = points[-1][1]
    for point, value in reversed(points):
        low, high = (value, end) if vanishing else (end, value)
        if high > low * 10 ** (limits.GRADIENT_DECADES / 2):
            return point
    return points[0][0]


def _zero(measures: Measures) -> Iterator[Finding]:
    share = measures.zero_gradient or 0.0
    # Equal units explain zeros better: IN301 or IN302 names them.
    if not measures.without_gradient or measures.duplicate_weights:
        return
    names = tuple(part.name for part in measures.without_gradient)
    shut = shut_modules(measures.record)
    why = "these weights cannot start to move"
    remedy = "give the weights and biases after them values that are not zero"
    if shut:
        why += f": {some(shut)} multiply the signal by a buffer of zeros, and buffers never learn"
        remedy = (
            "set the gains among the buffers of these modules to one, or load a checkpoint that holds them"
        )
    yield Finding(
        "IN204",
        _zero_severity(share),
        names,
        f"{percent(share)} of the weights have a gradient of exactly zero",
        f"at most {percent(limits.ZERO_GRADIENT_SHARE)}, deliberate zero gates not counted",
        why,
        remedy,
        plan_rule(names[0], "he_normal") if len(names) == 1 and not shut else None,
    )


def _zero_severity(share: float) -> Severity:
    if share > limits.ZERO_GRADIENT_SHARE:
        return "error"
    return "warning" if share > limits.ZERO_GRADIENT_SHARE_WARNING else "info"


def _rule(measures: Measures) -> dict[str, object] | None:
    if _normed(measures):
        return None
    roles = {part.role for part in measures.record.parts.values()}
    return plan_rule("weight", "orthogonal") if "weight" in roles else None
