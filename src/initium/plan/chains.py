"""Unaided chains: weights that feed one another through pointwise functions alone, without norm, skip or branch.

On such a chain theory speaks exactly: every weight is drawn for the activation that follows and for its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from initium.record import Record
from initium.record.graph import Graph
from initium.record.uses import Use

POINTWISE = frozenset({"activation", "copy", "pool"})


@dataclass(frozen=True, slots=True)
class Link:
    """One weight's place on a chain.

    Args:
        name: the parameter.
        place: counted from 0.
        length: number of weights on the chain.
        activation: name of the one activation that follows ("" for none, "written" for several or unknown ones).
        slope: first number among the activation's arguments (the negative slope of a leaky ReLU), if any.
        chain: names of all weights on the chain, in order.
        activations: names of all activations on the chain.
    """

    name: str
    place: int
    length: int
    activation: str
    slope: float | None = None
    chain: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()

    @property
    def position(self) -> str:
        """first, hidden or last."""
        return "first" if self.place == 0 else "last" if self.place == self.length - 1 else "hidden"


def links_of(seen: Record) -> dict[str, Link]:
    """The place of every weight that lies on a chain of two or more."""
    sites = {use.node: use for use in seen.sites if _simple(seen, use)}
    follower, between = {}, {}
    for node in sites:
        reached = _next_site(seen.graph, node, sites)
        if reached is not None:
            follower[node], between[node] = reached
    heads = [node for node in follower if node not in follower.values()]
    found: dict[str, Link] = {}
    for head in heads:
        nodes = [head]
        while nodes[-1] in follower:
            nodes.append(follower[nodes[-1]])
        names = tuple(sites[node].names[0] for node in nodes)
        acts = [_activation(seen.graph, between.get(node, 0)) for node in nodes]
        kinds = tuple(dict.fromkeys(kind for kind, _ in acts if kind))
        for place, (name, (kind, slope)) in enumerate(zip(names, acts, strict=True)):
            found[name] = Link(name, place, len(names), kind, slope, names, kinds)
    return found


def _simple(seen: Record, use: Use) -> bool:
    """Whether the weight is used once, whole, as a dense linear map or an ungrouped convolution."""
    layer = use.layer
    if layer is None or layer.kind not in ("linear", "conv") or layer.groups > 1 or len(use.names) > 1:
        return False
    part = seen.parts.get(use.names[0])
    return (
        part is not None
        and len(part.nodes) == 1
        and not part.standardized
        and not use.rows
        and not part.layer.blocks
    )


def _next_site(graph: Graph, node: int, sites: dict[int, Use]) -> tuple[int, int] | None:
    """(the one site that an output reaches, mask of the nodes between); None where it forks, ends or meets others."""
    region, stack, reached = 1 << node, [node], set()
    while stack:
        current = stack.pop()
        if current in graph.outputs:
            return None
        for consumer in graph.consumers[current]:
            if region >> consumer & 1:
                continue
            if consumer in sites and len(set(graph.nodes[consumer].inputs)) == 1:
                reached.add(consumer)
            elif _passes(graph, consumer, node):
                region |= 1 << consumer
                stack.append(consumer)
            else:
                return None
    if len(reached) != 1:
        return None
    return reached.pop(), region & ~(1 << node)


def _passes(graph: Graph, index: int, origin: int) -> bool:
    """Whether a node is a pointwise function of the origin alone, or moves or averages such values."""
    node = graph.nodes[index]
    if index in graph.residuals or graph.normalizes(index) or node.category not in (*POINTWISE, "mul", "add"):
        return False
    return all(graph.ancestors[source] >> origin & 1 for source in node.inputs)


def _activation(graph: Graph, between: int) -> tuple[str, float | None]:
    nodes = [node for node in graph.nodes if between >> node.index & 1]
    acts = [node for node in nodes if node.category == "activation"]
    mixes = [node for node in nodes if node.category in ("mul", "add") and len(set(node.inputs)) > 1]
    if not acts and not mixes:
        return "", None
    if len(acts) == 1 and not mixes:
        scalars = acts[0].scalars
        return acts[0].kind, scalars[0] if scalars else None
    return "written", None
