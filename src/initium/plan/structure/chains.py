"""Unaided chains: weights that feed one another through pointwise functions alone, without norm, skip or branch.

On such a chain mean-field theory is exact for wide layers: every weight is drawn for the activations on it and for
its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from initium.record import Record
from initium.record.tape.activation_curves import GRID, Curve
from initium.record.tape.ops import SHUFFLES
from initium.record.tape.uses import Use
from initium.theory.sampled import Sampled


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Weights in a row.

    Args:
        names: the weights, in order.
        biases: the bias of each weight's operation, "" where there is none.
        activations: the function between each weight and the next, as it acted in the run.
        parts: into how many parts the units between each weight and the next fall, none of which meets another.
    """

    names: tuple[str, ...]
    biases: tuple[str, ...]
    activations: tuple[Sampled, ...]
    parts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)


def chains_of(seen: Record) -> tuple[Chain, ...]:
    """Every chain of two or more weights."""
    sites = {use.node: use for use in seen.sites if _is_plain(seen, use)}
    reached = {node: found for node in sites if (found := _next_site(seen, node, sites)) is not None}
    follower = {node: found[0] for node, found in reached.items()}
    biases = biases_of(seen)
    made: dict[int, Sampled] = {}  # a function computes its moments once, so equal curves share one
    chains = []
    for head in follower.keys() - set(follower.values()):
        nodes = [head]
        while nodes[-1] in follower:
            nodes.append(follower[nodes[-1]])
        functions = tuple(_sampled(reached[node][1], made) for node in nodes[:-1])
        names = tuple(sites[node].names[0] for node in nodes)
        parts = tuple(_parts(sites[one], sites[other]) for one, other in pairwise(nodes))
        chains.append(Chain(names, tuple(biases.get(node, "") for node in nodes), functions, parts))
    return tuple(sorted(chains, key=lambda chain: chain.names))


def biases_of(seen: Record) -> dict[int, str]:
    """Node of a weighted operation -> its bias, where that is a parameter of its own."""
    return {use.node: use.names[0] for use in seen.uses if use.how == "bias" and len(use.names) == 1}


def _sampled(curve: Curve, made: dict[int, Sampled]) -> Sampled:
    """The curve for theory; one and the same for one and the same curve."""
    return made.setdefault(id(curve.values), Sampled(GRID, curve.values))


def _is_plain(seen: Record, use: Use) -> bool:
    """Whether the weight is used once, whole, as a dense linear map or a convolution, in groups of even widths."""
    layer = use.layer
    if layer is None or layer.kind not in ("linear", "conv") or len(use.names) > 1:
        return False
    # Mirrored weights pair the units within a group, so each group must have an even number of them.
    if layer.groups > 1 and (layer.num_out % (2 * layer.groups) or layer.num_in % (2 * layer.groups)):
        return False
    part = seen.parts.get(use.names[0])
    return (
        part is not None
        and len(part.nodes) == 1
        and not part.standardized
        and not use.rows
        and not part.layer.blocks
    )


def _next_site(seen: Record, node: int, sites: dict[int, Use]) -> tuple[int, Curve] | None:
    """(the one site that an output reaches, the function on the way); None where it forks, ends or meets others."""
    found = region_after(seen, node)
    if found is None or len(found[1]) != 1 or not found[1] <= sites.keys():
        return None
    (site,) = found[1]
    ends = set(seen.graph.nodes[site].inputs)
    # A site that takes two values is no function of one of them.
    curve = seen.curves.get(min(ends)) if len(ends) == 1 else None
    if curve is None or curve.origin != node or not bool(curve.values.isfinite().all()):
        return None
    if _parts(sites[node], sites[site]) > 1 and not _in_order(seen, node, site, found[0]):
        return None
    return site, curve


def _parts(use: Use, after: Use) -> int:
    """Parts of the units between two weights that neither mixes with others."""
    return math.lcm(*(one.layer.groups for one in (use, after) if one.layer is not None))


def _in_order(seen: Record, node: int, site: int, inside: set[int]) -> bool:
    """Whether the channels of a value reach a weight as they are: no channel shuffle moves them to other groups."""
    nodes = seen.graph.nodes
    for index in (inside | {site}) - {node}:
        if nodes[index].op in SHUFFLES:
            return False
        # A shuffle may be a view alone, a reshape and a transposition: no operation, but strides that differ.
        for view in nodes[index].operands:
            if (view.shape, view.stride) != (nodes[view.node].shape, nodes[view.node].stride):
                return False
    return True


def region_after(seen: Record, node: int) -> tuple[set[int], set[int]] | None:
    """(the pointwise functions of a node, itself among them; what takes them); None where one is the model's output."""
    graph, inside, outside, stack = seen.graph, {node}, set[int](), [node]
    while stack:
        current = stack.pop()
        if current in graph.outputs:  # what reads the output is not known, so no weight follows for certain
            return None
        for consumer in graph.consumers[current]:
            if consumer in inside:
                continue
            if _passes(seen, consumer, node):
                inside.add(consumer)
                stack.append(consumer)
            else:
                outside.add(consumer)
    return inside, outside


def _passes(seen: Record, index: int, origin: int) -> bool:
    """Whether a node is a pointwise function of the origin alone, or moves or averages such values."""
    graph = seen.graph
    # x + f(x) has a curve as well, but the scale of a block is its branch's, not that of a chain.
    if index in graph.residuals or graph.normalizes(index):
        return False
    curve = seen.curves.get(index)
    return curve is not None and curve.origin == origin


def settable(seen: Record, names: tuple[str, ...]) -> Iterator[bool]:
    """Whether each parameter is the plan's to set: neither frozen, tied, loaded nor computed from another."""
    for name in names:
        info = seen.parameter(name)
        yield not (info.frozen or info.tied or info.loaded or info.parametrized)
