"""Branch scale: the second moment that the branches of a residual stream start with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from initium.plan.structure.growth_degree import degree_of
from initium.record.graph.graph import Graph, Residual, bits
from initium.theory.streams import refill, share_for

MeasuredTarget = Callable[[Mapping[int, float]], float]
"""From the second moments of the operations so far to the one that an output should have."""

NORM_FREE_DIVISOR = 16
"""Divisor of the second moment of branches without a norm: near the identity, where Fixup and SkipInit start at zero.

Not zero itself: behind an end of zeros the other weights of a branch have no gradient in the first step.
evidence: E-norm-free-branches
"""

LEAST_ATTENUATION = 1e-3
"""Share of its second moment that a stream must lose at a block to count as attenuated; less is rounding."""

MAX_BRANCH_RATIO = 10.0
"""Largest second moment of a branch over the stream's: a sum that takes little of it attenuates as little."""


def share_of(graph: Graph, branch: Residual) -> float:
    """The share of the stream's second moment that the end of a branch adds.

    All blocks of a stream together add as much as it held, or a 16th of it where no norm is on the branch. A skip
    that goes through weights, as at a change of width, leaves no identity to stay near: such a skip and a branch
    without norm start equal (evidence: E-projected-skips). Where only branches mix positions, by weights that sum over
    them, a net near the identity cannot use their order, and the full share is kept (evidence: E-mixing-branches).
    """
    normed = any(graph.normalizes(node) for node in bits(branch.inside))
    if not normed and is_projected(graph, branch):
        return 1.0
    num_blocks = sum(other.number == branch.number for other in graph.residuals.values())
    is_reduced = not normed and branch.number not in graph.mixing
    return share_for(num_blocks, 1.0 / NORM_FREE_DIVISOR if is_reduced else 1.0)


def is_projected(graph: Graph, branch: Residual) -> bool:
    """Whether the skip goes through weights of its own."""
    skip = graph.ancestors[branch.stream] & ~graph.ancestors[branch.branch]
    return bool(skip & graph.weighted)


def target_of(graph: Graph, branch: Residual) -> MeasuredTarget:
    """The target of what a branch makes: a share of the stream's, or what an attenuated stream lacks to unit scale.

    A stream is attenuated where blocks blend into it, as in x + a (f - x), or scale it down, as in (x + f) / sqrt(2):
    with branches that add little its variance would vanish with depth (evidence: E-attenuated-streams).
    """
    share, stream, attenuation = share_of(graph, branch), branch.stream, _attenuation_of(graph, branch)
    if attenuation is None:
        return lambda seconds: share * seconds.get(stream, 1.0)
    # A branch that multiplies the stream by itself amplifies any excess, and more so from block to block: it is given
    # its share alone, and the stream is left to shrink.
    is_superlinear = degree_of(graph, stream, branch.end) > 1

    def target(seconds: Mapping[int, float]) -> float:
        held = seconds.get(attenuation.source, 1.0)
        least = share * held / attenuation.taken
        needed = (
            least if is_superlinear else refill(held, share, kept=attenuation.kept, taken=attenuation.taken)
        )
        return min(needed, MAX_BRANCH_RATIO * held)

    return target


def watched(graph: Graph) -> frozenset[int]:
    """The nodes whose second moments targets are made of."""
    # Both ends of a scaling: with attenuation a target counts from the stream before it was multiplied.
    streams = [branch.stream for branch in graph.residuals.values()]
    return frozenset(streams) | {source_of(graph, stream) for stream in streams}


@dataclass(frozen=True, slots=True)
class Attenuation:
    """What a sum keeps of a stream and takes of a branch.

    Args:
        source: the stream before the block scales it.
        kept: factor on its second moment.
        taken: factor on the second moment of what the branch makes.
    """

    source: int
    kept: float
    taken: float


def _attenuation_of(graph: Graph, branch: Residual) -> Attenuation | None:
    """The attenuation of a stream at a block; None where it has none."""
    taken = _ratio(graph, branch.branch, source_of(graph, branch.branch))
    if taken is None:
        return None
    if (
        branch.end != branch.branch
    ):  # x + a (f - x): what is added holds the stream too, of which 1 - a is left
        return Attenuation(branch.stream, (1.0 - taken**0.5) ** 2, taken)
    source = source_of(graph, branch.stream)  # (x + f) / sqrt(2), written as a sum of two scaled values
    kept = _ratio(graph, branch.stream, source)
    return None if kept is None or kept > 1.0 - LEAST_ATTENUATION else Attenuation(source, kept, taken)


def source_of(graph: Graph, index: int) -> int:
    """The value before it was multiplied by constants or parameters."""
    while graph.nodes[index].category == "mul" and graph.is_transparent(index):
        index = graph.nodes[index].inputs[0]
    return index


def _ratio(graph: Graph, index: int, before: int) -> float | None:
    """Second moment of a value to that of an earlier one."""
    one, other = graph.nodes[index].forward, graph.nodes[before].forward
    if one is None or other is None or not (one.second > 0 and other.second > 0):
        return None
    return one.second / other.second
