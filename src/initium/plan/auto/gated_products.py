"""Chains of products, as of gated units, without norm or skip: one factor of each starts near a constant.

A product of two linear maps squares the signal's scale, so a sample of slightly larger norm than the others has a much
larger one after a few of them, whatever the weights: after L products the logarithm has grown 2^L times. With a bias c
on the gate g, y = f(a) g(c + b) is nearly linear in its input where b is small: the nonlinearity is about
u = E (b g'(c + b))^2 / E g(c + b)^2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from initium.plan.records.assignment import Assignment
from initium.plan.structure.chains import biases_of, settable
from initium.record import Record
from initium.record.graph.packed_projections import columns_of
from initium.record.tape import ops
from initium.record.tape.activation_curves import GRID, Curve
from initium.record.tape.node import Node, View
from initium.record.tape.uses import Use
from initium.theory.sampled import Sampled

NEAR_LINEAR = "near-linear product"
"""Name of the rule."""
GATE_BIAS = 2.0
"""SiLU and its kin are nearly lines there, as ReLU is (evidence: P-gate-bias)."""
MAX_NONLINEARITY = 0.3
"""Sum of u over a chain (evidence: P-chain-nonlinearity)."""
MAX_NONLINEARITY_WITHOUT_BIAS = 1.0
"""Sum of u up to which a chain starts without biases, as of up to 6 gates by a sigmoid (evidence: P-few-products)."""
MIN_PRODUCTS = 2
"""Products in a row from which on their gates start so."""
MIN_GATE_STD = 1e-2
"""Standard deviation of a gate below which it is not worth its weights."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The factor of a product that starts near a constant.

    Args:
        weight: its weight.
        bias: its bias.
        rows: which outputs of the weight are the gate's; () for all of them.
        function: what acts on it before the product.
        spread: standard deviation of what its weight makes of the signal.
    """

    weight: str
    bias: str
    rows: tuple[int, ...]
    function: Sampled
    spread: float = 1.0

    def factors(self, num_out: int, gate: float, line: float) -> tuple[float, ...]:
        """One number an output of its weight."""
        low, high = self.rows
        return tuple(gate if low <= unit < high else line for unit in range(num_out))


def with_gate_biases(seen: Record, assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
    """The assignments with biases that hold gates near a constant, where products stand without norm or skip."""
    gates = gates_of(seen)
    weights, biases = {gate.weight: gate for gate in gates}, {gate.bias: gate for gate in gates}
    unset = {one.name for one in assignments if one.method == "zeros" and one.rule != "rule"}
    drawn = {one.name for one in assignments if not one.keeps and one.rule != "rule"}
    measured = any(node.forward is not None for node in seen.nodes)  # theory alone does not tell halves apart
    usable = {
        gate for gate in gates if gate.bias in unset and gate.weight in drawn and (measured or not gate.rows)
    }
    made = []
    for one in assignments:
        gate = weights.get(one.name) or biases.get(one.name)
        made.append(_started(one, gate) if gate in usable and gate is not None else one)
    return tuple(made)


def _started(one: Assignment, gate: Gate) -> Assignment:
    """The start of a gate's weight or bias."""
    num_out = one.layer.num_out
    reason = "products square the scale of the signal: "
    if one.name == gate.bias:
        reason += f"a bias of {GATE_BIAS:g} holds one factor near a constant"
        units = gate.factors(num_out, 1.0, 0.0) if gate.rows else ()
        return replace(
            one, method="constant", params={"value": GATE_BIAS}, rule=NEAR_LINEAR, reason=reason, units=units
        )
    reason += f"beside its bias the gate starts small, at {gate.spread:.2g}"
    second, units = gate.spread**2, ()
    if gate.rows:
        share = (gate.rows[1] - gate.rows[0]) / num_out
        second, units = share * second + 1.0 - share, gate.factors(num_out, gate.spread, 1.0)
    return replace(one, rule=NEAR_LINEAR, reason=reason, target=second, units=units)


def gates_of(seen: Record) -> tuple[Gate, ...]:
    """The gate of every product on a chain of such."""
    sites = {use.node: use for use in seen.sites if len(use.names) == 1 and use.direct and not use.rows}
    biases = biases_of(seen)
    found = {
        node.index: gate for node in seen.nodes if (gate := _gate(seen, node, sites, biases)) is not None
    }
    lengths = _lengths(seen, set(found))
    known: dict[tuple[Sampled, int], float] = {}
    gates = []
    for index, gate in found.items():
        key = gate.function, lengths[index]
        if lengths[index] >= MIN_PRODUCTS and key not in known:
            known[key] = _gate_std(gate.function, MAX_NONLINEARITY / lengths[index])
        gates.append(replace(gate, spread=known.get(key, 0.0)))
    return tuple(gate for gate in gates if gate.spread >= MIN_GATE_STD)


def _lengths(seen: Record, products: set[int]) -> list[int]:
    """For every node how many products are on its way from the last norm, residual addition or input to the next."""
    graph, counts = seen.graph, list[int]()
    helps = [graph.normalizes(node.index) or node.index in graph.residuals for node in seen.nodes]
    for node in seen.nodes:
        before = 0 if helps[node.index] else max((counts[source] for source in node.inputs), default=0)
        counts.append(before + (node.index in products))
    for index in reversed(range(len(counts))):
        later = [counts[consumer] for consumer in graph.consumers[index] if not helps[consumer]]
        counts[index] = max([counts[index], *later])
    return counts


def _gate(seen: Record, node: Node, sites: dict[int, Use], biases: dict[int, str]) -> Gate | None:
    """The factor with a bias of its own that is less linear; None where there is none, or on another product."""
    if not ops.multiplies(node.op) or len(node.operands) != 2:
        return None
    curves = [_curve(seen, view) for view in node.operands]
    if any(curve is None or curve.origin not in sites for curve in curves):
        return None
    first, second = (curve for curve in curves if curve is not None)
    if (first.origin, first.window) == (second.origin, second.window):
        return None
    same_input = {seen.nodes[curve.origin].inputs for curve in (first, second)}
    factors = [(curve, sites[curve.origin]) for curve in (first, second)]
    if len(same_input) > 1 or not all(_is_alone(seen, use, node.index) for _, use in factors):
        return None
    gates = [
        gate
        for curve, use in factors
        if use.node in biases and (gate := _factor(seen, curve, use, biases[use.node])) is not None
    ]
    return max(gates, key=lambda gate: (_nonlinearity(gate.function), gate.rows), default=None)


def _curve(seen: Record, view: View) -> Curve | None:
    """What an operand is of a weight's output, or of a part of it."""
    whole = view.numel == math.prod(seen.nodes[view.node].shape)
    if whole:
        return seen.curves.get(view.node) or seen.part_curves.get(view.node)
    is_origin = view.node in seen.curves and seen.curves[view.node].origin == view.node
    return Curve(view.node, GRID, window=view) if is_origin else None


def _is_alone(seen: Record, use: Use, product: int) -> bool:
    """Whether a weight's output goes nowhere but into the product, and on no branch."""
    part = seen.parts[use.names[0]]
    ancestors, descendants = seen.graph.ancestors[product], seen.graph.descendants[product]
    stray = seen.graph.descendants[use.node] & ~ancestors & ~descendants
    return part.branch is None and len(part.nodes) == 1 and not part.standardized and stray == 0


def _factor(seen: Record, curve: Curve, use: Use, bias: str) -> Gate | None:
    """The factor as a gate; None where its weight or bias may not be set."""
    layer, shape = use.layer, seen.nodes[use.node].shape
    if layer is None or not all(settable(seen, (use.names[0], bias))):
        return None
    if not bool(curve.values.isfinite().all()):
        return None
    rows: tuple[int, ...] = ()
    if curve.window is not None:
        axis = len(shape) - 1 if layer.kind == "linear" else 1
        columns = columns_of(seen.graph, curve.window, use.node, axis)
        if (
            columns is None
            or (columns[1] - columns[0]) * math.prod(shape) != curve.window.numel * layer.num_out
        ):
            return None
        rows = columns
    return Gate(use.names[0], bias, rows, Sampled(GRID, curve.values))


def _nonlinearity(f: Sampled) -> float:
    """How far a function is from a line: E f'^2 Var z / Var f less 1."""
    at = f.moments(1.0)
    return round(at.d / at.v - 1, 6) if at.v > 0 else math.inf


def _gate_std(f: Sampled, nonlinearity: float) -> float:
    """The largest standard deviation up to 1 at which a gate with its bias adds no more nonlinearity to a product.

    0 where no bias is needed.
    """
    found = f.moments(1.0)
    if found.d <= MAX_NONLINEARITY_WITHOUT_BIAS / MAX_NONLINEARITY * nonlinearity * found.s:
        return 0.0
    low, high, moved = 0.0, 1.0, f.shifted(GATE_BIAS)
    for _ in range(20):
        middle = (low + high) / 2
        at = moved.moments(middle**2)
        low, high = (middle, high) if middle**2 * at.d <= nonlinearity * at.s else (low, middle)
    return low
