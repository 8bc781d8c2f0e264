"""What each parameter does in its model, decided by what the tape shows and never by a name or a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from initium.record.graph.graph import Graph, Residual
from initium.record.graph.packed_projections import blocks_of
from initium.record.parameters.inventory import ParameterInfo
from initium.record.tape import ops
from initium.record.tape.uses import Use
from initium.theory.layer import Layer

Role = Literal[
    "weight", "before_norm", "branch_end", "attention", "query", "key", "value", "gate", "head", "upsampler", "offset",
    "embedding", "position", "token", "bias", "norm_gain", "norm_shift", "scale", "mask", "opaque", "unused",
]  # fmt: skip
"""`weight`: on a chain. `before_norm`: a norm follows. `branch_end`: last weight of a residual branch.
`attention`: packed q, k, v. `gate`: its activation multiplies another value. `head`: its output leaves the model.
`offset`: steers where another operation looks. `scale`: multiplied elementwise (layer scale). `mask`: added to
attention logits. `opaque`: taken by an unknown operation."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part one parameter plays.

    Args:
        name: the parameter.
        role: see `Role`.
        layer: geometry of its first use as a weight; a vector for the others.
        nodes: operations that take it, in execution order.
        follows: what comes after the first of them.
        chain: weighted operations on the longest chain through it without norm or skip (1 for a layer between norms).
        position: its place on that chain, counted from 1.
        branch: the residual addition that its branch ends in, if it lies on one.
        scale_free: multiplying it by a positive number leaves the output as it is (a norm follows, or it is
            standardized).
        standardized: its scale is taken out before use.
        packed: names of parameters combined with it before use.
    """

    name: str
    role: Role
    layer: Layer
    nodes: tuple[int, ...] = ()
    follows: tuple[str, ...] = ()
    chain: int = 0
    position: int = 0
    branch: Residual | None = None
    scale_free: bool = False
    standardized: bool = False
    packed: tuple[str, ...] = ()


def parts_of(graph: Graph, uses: Sequence[Use], parameters: Sequence[ParameterInfo]) -> dict[str, Part]:
    """The part of every parameter, by name."""
    by_name: dict[str, list[Use]] = {}
    for use in uses:
        for name in use.names:
            by_name.setdefault(name, []).append(use)
    return {info.name: _part(graph, info, by_name.get(info.name, [])) for info in parameters}


def _part(graph: Graph, info: ParameterInfo, uses: list[Use]) -> Part:
    if not uses:
        return Part(info.name, "unused", Layer("vector", info.shape))
    weights = [use for use in uses if use.how == "weight" and use.layer is not None and _fits(use, info)]
    if not weights:
        return _vector_part(graph, info, uses)
    first = weights[0]
    assert first.layer is not None
    layer = _own_axes(first.layer, info.shape)
    blocks, words = blocks_of(graph, weights, info.shape)
    follows = graph.follows(first.node)
    standardized = all(use.standardized for use in weights)
    return Part(
        name=info.name,
        role=_weight_role(graph, first, follows, words),
        layer=replace(layer, blocks=blocks),
        nodes=tuple(use.node for use in weights),
        follows=follows,
        chain=max(graph.chain(use.node) for use in weights),
        position=graph.depths[first.node],
        branch=_branch(graph, first.node),
        scale_free=standardized or (bool(follows) and all(word.startswith("norm:") for word in follows)),
        standardized=standardized,
        packed=tuple(name for name in first.names if name != info.name),
    )


def _own_axes(layer: Layer, shape: tuple[int, ...]) -> Layer:
    """The layer with the parameter's own shape; axes that a change of rank has lost make it `other`."""
    if len(layer.shape) == len(shape):
        return replace(layer, shape=shape)
    return Layer("other", shape)


def _fits(use: Use, info: ParameterInfo) -> bool:
    """Whether this parameter is the matrix of a combined operand, not a gain or bias folded into it."""
    assert use.layer is not None
    return len(info.shape) >= 2 and (use.layer.shape == info.shape or len(use.names) == 1)


def _weight_role(graph: Graph, use: Use, follows: tuple[str, ...], words: tuple[str, ...]) -> Role:
    assert use.layer is not None
    if use.layer.kind == "embedding":
        return "position" if not graph.nodes[use.node].inputs else "embedding"
    # What attention makes of a weight tells more than what comes next in the graph.
    if words:
        return words[0] if len(words) == 1 else "attention"  # type: ignore[return-value]
    if _steers(graph, use.node):
        return "offset"
    # Before gates and branches: a head scored by a sigmoid that multiplies boxes is still a head.
    if "output" in follows:
        return "head"
    if graph.gates(use.node):
        return "gate"
    # A branch may end in a norm; the weight before it is the last of the branch all the same.
    if "branch" in follows or _normed_branch(graph, use.node):
        return "branch_end"
    if use.layer.kind == "conv_transpose":
        return "upsampler"
    return "before_norm" if any(word.startswith("norm:") for word in follows) else "weight"


def _normed_branch(graph: Graph, node: int) -> bool:
    """Whether one norm stands between the weight and the residual addition."""
    after = [consumer for consumer, _ in graph.next(node)]
    return (
        len(after) == 1 and graph.nodes[after[0]].category == "norm" and "branch" in graph.follows(after[0])
    )


def _steers(graph: Graph, node: int) -> bool:
    """Whether the value is the offset or grid operand of a sampling operation."""
    for consumer, source in graph.next(node):
        taker = graph.nodes[consumer]
        if ops.is_deformable(taker.op) and taker.inputs and taker.inputs[0] != source:
            return True
        if (
            ops.is_grid_sampler(taker.op)
            and taker.inputs
            and taker.inputs[-1] == source
            and taker.inputs[0] != source
        ):
            return True
    return False


def _branch(graph: Graph, node: int) -> Residual | None:
    """The innermost residual branch that the node lies on."""
    on = [residual for residual in graph.residuals.values() if residual.inside >> node & 1]
    return min(on, key=lambda residual: residual.inside.bit_count(), default=None)


def _vector_part(graph: Graph, info: ParameterInfo, uses: list[Use]) -> Part:
    use = uses[0]
    nodes = tuple(one.node for one in uses)
    return Part(
        name=info.name,
        role=_vector_role(graph, info, use),
        layer=Layer("vector", info.shape),
        nodes=nodes,
        follows=graph.follows(use.node),
        branch=_branch(graph, use.node),
        standardized=use.standardized,
        packed=tuple(name for name in use.names if name != info.name),
    )


def _vector_role(graph: Graph, info: ParameterInfo, use: Use) -> Role:
    if use.how in ("bias", "gain", "shift"):
        return {"bias": "bias", "gain": "norm_gain", "shift": "norm_shift"}[use.how]  # type: ignore[return-value]
    if use.how == "weight":
        if len(use.names) > 1:
            return "scale"  # folded into a weight, as the gain of a standardized convolution is
        return "bias" if len(info.shape) < 2 else "opaque"
    if use.how == "token":
        return "token"
    if use.how == "scale":
        return _scale_role(graph, use)
    if use.how == "add":
        return _add_role(graph, info, use)
    return "opaque"


def _scale_role(graph: Graph, use: Use) -> Role:
    """A product right after a hand-written norm is that norm's gain."""
    return "norm_gain" if _after_written_norm(graph, use.node) else "scale"


def _after_written_norm(graph: Graph, node: int) -> bool:
    """Whether the value was just divided by a statistic of itself (x * rsqrt(mean(x^2)))."""
    before = list(graph.nodes[node].inputs)
    before += [
        source
        for index in before
        if graph.nodes[index].category == "copy"
        for source in graph.nodes[index].inputs
    ]
    return any(index in graph.written_norms for index in before)


def _add_role(graph: Graph, info: ParameterInfo, use: Use) -> Role:
    node = graph.nodes[use.node]
    if "softmax" in graph.follows(use.node):
        return "mask"
    # Axes of one element are there to broadcast.
    sides = [side for side in info.shape if side > 1]
    if len(sides) <= 1:
        source = graph.nodes[node.inputs[0]] if node.inputs else node
        return (
            "bias"
            if source.category in ("weighted", "copy", "matmul")
            else "norm_shift"
            if source.category == "mul"
            else "bias"
        )
    return "position"
