"""Scales by theory alone, for a model that cannot be run on data."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from initium.errors import UnknownNameError
from initium.plan.records.assignment import Assignment
from initium.plan.scales.planned_weights import planned_weights
from initium.plan.scales.theory_sweep import PredictedTarget, Scaling
from initium.plan.structure.branch_scale import share_of
from initium.record import Record
from initium.record.graph.graph import Graph
from initium.theory.gains import gain as gain_of

SCALED = ("he_normal", "orthogonal", "conv_orthogonal", "centred_orthogonal", "lecun_normal", "mirrored")
"""Methods of policy `auto` whose scale is found on data where there are any."""


def by_theory(
    decided: Sequence[Assignment], seen: Record, ruled: Collection[str], *, seed: int
) -> tuple[Assignment, ...]:
    """The assignments with the scales that theory gives, for a model that cannot be run on data.

    The predicted signal is carried through the graph, and every weight brought to the target that calibration would
    bring it to. Where theory has no rule, a weight gets the gain of the activation that feeds it.
    """
    tuned = [one for one in decided if one.name not in ruled and _is_scaled(one, seen)]
    scaling = Scaling(
        seen, planned_weights(seen, decided, seed=seed), {one.name: _target(one, seen) for one in tuned}
    )
    scaling.run()
    names = {one.name for one in tuned}
    return tuple(_scaled(one, seen, scaling.factors) if one.name in names else one for one in decided)


def _is_scaled(one: Assignment, seen: Record) -> bool:
    return not (one.keeps or seen.parts[one.name].scale_free) and one.method in SCALED


def _target(one: Assignment, seen: Record) -> PredictedTarget:
    """What calibration would bring the weight's output to."""
    part = seen.parts[one.name]
    if part.branch is None or part.role != "branch_end":
        return lambda _: one.target
    stream, share = part.branch.stream, share_of(seen.graph, part.branch)
    return lambda signals: share * signals[stream].second


def _scaled(one: Assignment, seen: Record, factors: Mapping[str, float]) -> Assignment:
    if one.name in factors:
        reason = f"{one.reason}; its scale is by theory, nothing could be measured"
        return replace(one, scale=one.scale * factors[one.name], reason=reason)
    # Theory did not reach it: the method's own scale, forward, or the gain of the activation in front must do.
    if one.method == "mirrored":
        return replace(one, params={**one.params, "scale": "forward"})
    part = seen.parts[one.name]
    gain = _feeding_gain(seen.graph, part.nodes[0])
    if part.branch is not None and part.role == "branch_end":
        gain *= math.sqrt(share_of(seen.graph, part.branch))
    reason = "variance gain^2 / fan_in for the activation that feeds it; theory has no rule for the operation"
    return replace(one, method="he_normal", params={"gain": gain, "mode": "fan_in"}, reason=reason)


def _feeding_gain(graph: Graph, node: int) -> float:
    """The forward gain of the activation that feeds an operation; 1 where there is none or it is not known."""
    sources = graph.nodes[node].inputs
    while sources:
        source = graph.nodes[sources[0]]
        if source.category == "activation":
            try:
                return gain_of(source.kind)
            except UnknownNameError:
                return 1.0
        if source.category not in ("copy", "pool", "concat"):
            return 1.0
        sources = source.inputs
    return 1.0
