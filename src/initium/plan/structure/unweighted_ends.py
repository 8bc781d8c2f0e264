"""Branches that no weight ends: a gate, a product or an activation stands between the last weight and the sum.

Such a branch is measured at the sum, and the last weight that it grows with is scaled.
evidence: E-unweighted-ends
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from initium.plan.structure.branch_scale import MeasuredTarget, is_projected, source_of, target_of
from initium.plan.structure.growth_degree import degree_of
from initium.record import Record
from initium.record.graph.graph import SHORT_BRANCH, Graph, Residual


@dataclass(frozen=True, slots=True)
class End:
    """How a branch is brought to its share.

    Args:
        name: the weight that is scaled.
        degree: the power of a factor on the weight by which the branch grows at the least.
        target: of what the branch makes.
        op: name of the operation that makes it.
    """

    name: str
    degree: int
    target: MeasuredTarget
    op: str


def unweighted_ends(record: Record, names: Collection[str]) -> dict[int, End]:
    """Node of what a branch makes -> its end, among the weights of these names."""
    ended = {part.branch.node for part in record.parts.values() if part.role == "branch_end" and part.branch}
    found = {}
    for residual in record.graph.residuals.values():
        if residual.node in ended or not _is_block(record.graph, residual):
            continue
        made = source_of(record.graph, residual.end)
        end = next(_ends(record, residual, made, names), None)
        if end is not None:
            found[made] = end
    return found


def _is_block(graph: Graph, residual: Residual) -> bool:
    """Whether the stream passes unchanged, and the branch is no network of its own."""
    return residual.depth <= SHORT_BRANCH and not is_projected(graph, residual)


def _ends(record: Record, residual: Residual, made: int, names: Collection[str]) -> Iterator[End]:
    """The weights that what a branch makes grows with, the last first."""
    graph = record.graph
    for use in sorted(record.sites, key=lambda use: -use.node):
        name = use.names[0]
        # A weight that is used elsewhere too has a target there, which scaling it for this branch would undo.
        once = name in names and record.parts[name].nodes == (use.node,)
        if once and residual.inside >> use.node & 1:
            degree = degree_of(graph, use.node, made)
            if degree:  # a branch that does not grow with the weight cannot be brought to its share by it
                yield End(name, degree, target_of(graph, residual), graph.nodes[made].op)
