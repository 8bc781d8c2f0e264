"""IN1xx: the signal on its way forward."""

from __future__ import annotations

from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, Severity, plan_rule
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint, epsilon_of
from initium.report import number

EXPECTED = (
    "the second moment of what a block receives stays between "
    f"{number(limits.LEAST_SECOND)} and {number(limits.GREATEST_SECOND)}"
)


def check_forward(measures: Measures) -> Iterator[Finding]:
    """IN101 vanishing, IN102 exploding, IN103 drifting apart, IN104 not finite."""
    if measures.broken:
        yield _not_finite(measures)
        return
    found = [*_vanishing(measures), *_exploding(measures)]
    yield from found
    # A signal that has left the band has drifted, too: one cause, one finding.
    if not found:
        yield from _drifting(measures)
    yield from _below_epsilon(measures)


def _not_finite(measures: Measures) -> Finding:
    broken = [node for node in measures.broken if node.forward is not None and not node.forward.finite]
    forward = bool(broken)
    node = broken[0] if broken else measures.broken[-1]  # where it begins on the way forward, or back
    before = (
        point
        for point in measures.points
        if point.second > limits.GREATEST_SECOND and point.node < node.index
    )
    cause = next(before, None) if forward else None
    return Finding(
        "IN104" if forward else "IN203",
        "error",
        measures.weights_at.get(node.index) or (node.module,),
        f"the {'output' if forward else 'gradient'} of this operation is not finite"
        + (
            f"; E[x^2] passed {number(limits.GREATEST_SECOND)} after {_layers(cause)}, at {', '.join(cause.names)}"
            if cause
            else ""
        ),
        "finite values everywhere",
        "nan and inf spread to every weight in the first step",
        _remedy(measures, cause)
        if cause
        else "look at the weights and inputs of this layer, or start it anew",
        _anew(measures),
    )


def _vanishing(measures: Measures) -> Iterator[Finding]:
    outside = [(point, value) for point, value in measures.unrestored if value < limits.LEAST_SECOND]
    if not outside:
        return
    point, value = outside[0]
    least = min(value for _, value in outside)
    yield Finding(
        "IN101",
        "error",
        point.names,
        f"the signal vanishes: E[x^2] is {number(value)} after {_layers(point)}, and {number(least)} at the least",
        EXPECTED,
        "what comes after depends on its biases, not on the input, and the weights before it get hardly any gradient",
        _remedy(measures, point),
        _anew(measures),
    )


def _exploding(measures: Measures) -> Iterator[Finding]:
    outside = [(point, point.second) for point in measures.points if point.second > limits.GREATEST_SECOND]
    if not outside:
        return
    point, value = outside[0]
    greatest = max(value for _, value in outside)
    yield Finding(
        "IN102",
        "error",
        point.names,
        f"the signal explodes: E[x^2] is {number(value)} after {_layers(point)}, and {number(greatest)} at the most",
        EXPECTED,
        "outputs and losses are huge, the first steps are wild, and 16-bit floats overflow",
        _remedy(measures, point),
        _anew(measures),
    )


def _drifting(measures: Measures) -> Iterator[Finding]:
    if measures.drift is None or measures.drift[0] <= limits.WARNING_ONSET * limits.SIGNAL_DECADES:
        return
    span, first, last = measures.drift
    severity: Severity = "error" if span > limits.SIGNAL_DECADES else "warning"
    yield Finding(
        "IN103",
        severity,
        last.names,
        f"the signal drifts: E[x^2] goes from {number(first.second)} to {number(last.second)} without a norm between, "
        f"{number(span, 2)} decades",
        f"at most {number(limits.SIGNAL_DECADES)} decades from block to block",
        "no learning rate suits both ends",
        _remedy(measures, last),
        _anew(measures),
    )


def _below_epsilon(measures: Measures) -> Iterator[Finding]:
    """IN105: the epsilon of a norm is larger than the variance that it should divide by."""
    graph, names = measures.record.graph, measures.norm_gains
    found: list[str] = []
    for node in graph.nodes:
        if node.category == "norm" and node.inputs and graph.ancestors[node.index] & measures.inputs:
            moments = graph.nodes[node.inputs[0]].forward
            if moments is not None and 0 < moments.second < epsilon_of(node) / limits.EPSILON_RATIO:
                found += names.get(node.index) or (node.module,)
    if found:
        yield Finding(
            "IN105",
            "warning",
            tuple(dict.fromkeys(found)),
            "the variance that this norm divides by is smaller than its epsilon",
            "a variance well above epsilon",
            "the norm does not restore the scale of its input, so the signal stays small behind it",
            "start the weights before it larger",
            cost=limits.WARNING_COST,
        )


def _layers(point: TrunkPoint) -> str:
    return f"{point.depth} layer{'s' * (point.depth != 1)}"


def _remedy(measures: Measures, point: TrunkPoint) -> str:
    parts = [measures.record.parts[name] for name in point.names if name in measures.record.parts]
    if parts and all(part.standardized for part in parts):
        return (
            "put a norm behind this weight, or multiply it by a gain (1/sqrt(fan_in) keeps the second moment): "
            "it is standardized before use, so no start of it changes its scale"
        )
    longest = max((part.chain for part in parts), default=0)
    if longest >= limits.LONG_CHAIN:
        return (
            f"start the {longest} weights of this chain at its critical scale (initium.init_ does), "
            "or put norms or skips into it"
        )
    return "start this weight at the scale that keeps the second moment (initium.init_ does)"


def _anew(measures: Measures) -> dict[str, object] | None:
    """A rule that starts the plain weights anew; None where the model has none."""
    roles = [part.role for part in measures.record.parts.values()]
    for role in ("weight", "before_norm"):
        if role in roles:
            return plan_rule(role, "he_normal")
    return None
