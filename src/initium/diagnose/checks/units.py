"""IN4xx: dead and saturated units."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, plan_rule
from initium.diagnose.measures import Measures
from initium.record.tape.node import Node
from initium.record.tape.ops import SATURATION_MARGIN, SQUASHING
from initium.report import percent


def check_units(measures: Measures) -> Iterator[Finding]:
    """IN401 dead units, IN402 saturated units."""
    yield from _dead(measures)
    yield from _saturated(measures)


def _dead(measures: Measures) -> Iterator[Finding]:
    share = measures.dead or 0.0
    bad = [node for node in measures.rectified if (node.dead or 0.0) > limits.DEAD_SHARE]
    if share <= limits.DEAD_SHARE and not bad:
        return
    worst = max(bad or measures.rectified, key=lambda node: node.dead or 0.0)
    yield Finding(
        "IN401",
        "error" if share > limits.DEAD_SHARE else "warning",
        _names(measures, bad or [worst]),
        f"{percent(share)} of the rectified units are zero for every sample, "
        f"{percent(worst.dead or 0.0)} in the worst layer",
        f"at most {percent(limits.DEAD_SHARE)}",
        "a dead unit has no gradient and stays dead",
        "start the biases at zero and the weights with mean zero (initium.init_ does)",
        _bias_rule(measures, bad or [worst]),
    )


def _saturated(measures: Measures) -> Iterator[Finding]:
    graph = measures.record.graph
    bad = [
        node
        for node in graph.nodes
        if (node.saturated or 0.0) > limits.SATURATED_SHARE
        and node.kind in SQUASHING
        and math.prod(node.shape) >= limits.LEAST_OUTPUTS
        and not graph.inside >> node.index & 1
        and graph.descendants[node.index] & graph.weighted  # a head may be sure of rare classes
        and node.backward is not None
    ]
    if bad:
        worst = max(bad, key=lambda node: node.saturated or 0.0)
        yield Finding(
            "IN402",
            "warning",
            _names(measures, bad),
            f"{percent(worst.saturated or 0.0)} of the {worst.kind} outputs are within {percent(SATURATION_MARGIN)} "
            "of a bound",
            f"at most {percent(limits.SATURATED_SHARE)}",
            "a saturated unit passes hardly any gradient",
            "start the weights before it smaller",
            cost=limits.WARNING_COST,
        )


def _names(measures: Measures, nodes: list[Node]) -> tuple[str, ...]:
    names = (name for node in nodes for name in measures.behind(node.index) or (node.module,))
    return tuple(dict.fromkeys(names))


def _bias_rule(measures: Measures, nodes: list[Node]) -> dict[str, object] | None:
    """Zero biases, where it is biases that hold the units down."""
    behind = {name for node in nodes for name in measures.behind(node.index)}
    makers = {node for name in behind for node in measures.record.parts[name].nodes}
    biases = [
        use.names[0] for use in measures.record.uses if use.how in ("bias", "shift") and use.node in makers
    ]
    low = [name for name in biases if measures.record.parameter(name).mean < limits.NEGATIVE_BIAS]
    return plan_rule(low[0] if len(low) == 1 else "bias", "zeros") if low else None
