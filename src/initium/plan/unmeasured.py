"""Scales by theory alone, for a model that cannot be run on data."""

from __future__ import annotations

import math
from dataclasses import replace

from initium.errors import UnknownNameError
from initium.plan.assignment import Assignment
from initium.plan.branches import share_of
from initium.record import Record
from initium.record.graph import Graph
from initium.theory.gains import gain as gain_of

SCALED = ("he_normal", "orthogonal", "conv_orthogonal", "centred_orthogonal", "lecun_normal")
"""Methods of policy `auto` whose scale is found on data where there are any."""


def by_theory(one: Assignment, seen: Record) -> Assignment:
    """The assignment with the scale that theory gives, for a model that cannot be run on data."""
    part = seen.parts[one.name]
    if one.method == "mirrored":
        return replace(one, params={**one.params, "scale": "forward"})
    if one.keeps or part.scale_free or one.method not in SCALED:
        return one
    gain = _feeding_gain(seen.graph, part.nodes[0])
    if part.branch is not None and part.role == "branch_end":
        gain *= math.sqrt(share_of(seen.graph, part.branch))
    reason = "variance gain^2 / fan_in for the activation that feeds it; nothing could be measured"
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
