"""Tables whose variance is too small: embeddings that are the signal itself, positions added to a larger signal."""

from __future__ import annotations

from collections.abc import Iterator

from initium.diagnose.limits import LEAST_SECOND
from initium.record import Record
from initium.record.graph.graph import Graph, bits
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.tape import ops

SMALL_VARIANCE_POSITIONS = "small-variance positions"
"""The rule that draws such tables anew; calibration finds their size."""

MAX_NOISE_STD = 0.1
"""Standard deviation up to which a table of positions is noise, and no pattern that an author chose."""

SIGNAL_TO_POSITIONS = 4.0
"""Ratio of second moments, signal to the positions added to it, above which their variance counts as too small."""


def small_variance_positions(seen: Record) -> frozenset[str]:
    """Tables of noise or zeros whose variance is small beside that of the signal that they are added to.

    A net that gets a signal of unit scale and positions of .02 cannot use order until the table is learned.
    evidence: E-position-tables
    """
    return frozenset(
        part.name
        for part in seen.parts.values()
        if part.role == "position" and part.branch is None and _is_noise(seen.parameter(part.name))
        if _is_dominated(seen, part)
    )


def _is_noise(info: ParameterInfo) -> bool:
    return info.meta or not info.finite or info.constant is not None or info.std <= MAX_NOISE_STD


def _is_dominated(seen: Record, part: Part) -> bool:
    """Whether the table is added to one larger signal; where nothing was measured, to one that a weight made."""
    graph, info = seen.graph, seen.parameter(part.name)
    looked_up = part.nodes[0] if part.layer.kind == "embedding" else -1
    takers = graph.consumers[looked_up] if looked_up >= 0 else part.nodes
    signal = [one for one in graph.nodes[takers[0]].inputs if one != looked_up] if takers else []
    if (
        len(part.nodes) != 1
        or len(takers) != 1
        or len(signal) != 1
        or graph.nodes[takers[0]].category != "add"
    ):
        return False
    content = graph.nodes[signal[0]].forward
    if content is None or not info.finite:
        return bool(graph.ancestors[signal[0]] & graph.weighted)
    return content.second > SIGNAL_TO_POSITIONS * info.second


def table_stds(seen: Record) -> dict[str, float]:
    """Table -> the standard deviation to draw it with, for those that weights read at too small a variance.

    Tables are small because a norm is expected to follow. Where none does, their sum is the stream that everything
    else is measured by, and starts at unit scale. A table that is the head as well serves both ends: with a standard
    deviation of d^(-1/4) its outputs, sums of d products of its elements, have unit scale. Tables that are added share
    the smallest standard deviation among them, since what each weight reads is their sum.
    """
    small = {part.name: _small_values_of(seen, part) for part in seen.parts.values() if _is_table(seen, part)}
    return {
        name: min(_std_for(seen.graph, seen.parts[other]) for other, also in small.items() if also & values)
        for name, values in small.items()
        if values
    }


def _std_for(graph: Graph, part: Part) -> float:
    is_head = any(graph.nodes[node].category == "weighted" for node in part.nodes)
    return part.layer.num_out**-0.25 if is_head else 1.0


def padding_of(graph: Graph, part: Part) -> int | None:
    """The row of a table that stays zero for padding, as its lookups say."""
    lookups = (graph.nodes[node] for node in part.nodes if ops.has_padding_row(graph.nodes[node].op))
    rows = [int(one.scalars[0]) for one in lookups if one.scalars and one.scalars[0] >= 0]
    return rows[0] if rows else None


def _is_table(seen: Record, part: Part) -> bool:
    """Whether rows of the parameter are looked up, and differ."""
    info = seen.parameter(part.name)
    return part.layer.kind == "embedding" and info.finite and info.constant is None


def _small_values_of(seen: Record, part: Part) -> int:
    """Bit mask of the small values, made of tables alone, through which weights read the table; none behind a norm."""
    graph, mask = seen.graph, 0
    tables = [node for node in part.nodes if graph.nodes[node].category == "lookup"]
    for node in tables:
        made = graph.descendants[node] & ~_weighted_or_later(graph)
        if any(graph.normalizes(one) for one in bits(made)):
            return 0
        mask |= sum(1 << one for one in _read_by_weights(graph, made) if _is_small(seen, one))
    return mask


def _weighted_or_later(graph: Graph) -> int:
    mask = 0
    for node in bits(graph.weighted):
        mask |= graph.descendants[node]
    return mask


def _read_by_weights(graph: Graph, made: int) -> Iterator[int]:
    """The values among these that a weight takes."""
    for one in bits(made):
        if any(graph.weighted >> consumer & 1 for consumer in graph.consumers[one]):
            yield one


def _is_small(seen: Record, node: int) -> bool:
    moments = seen.graph.nodes[node].forward
    return moments is not None and 0 < moments.second < LEAST_SECOND
