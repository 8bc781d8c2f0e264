"""IN8xx: values that 16-bit floats cannot hold."""

from __future__ import annotations

from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding
from initium.diagnose.measures import Measures
from initium.record.tape.node import Node
from initium.report import number


def check_precision(measures: Measures) -> Iterator[Finding]:
    """IN801 overflow in fp16, IN802 gradients below its smallest number."""
    half = [node for node in measures.record.graph.nodes if node.dtype == "float16"]
    yield from _overflow(measures, half)
    yield from _underflow(measures, half)


def _overflow(measures: Measures, half: list[Node]) -> Iterator[Finding]:
    largest = limits.HALF_LARGEST / limits.HALF_MARGIN
    close = [
        node
        for node in half
        if node.forward is not None and node.forward.finite and node.forward.peak > largest
    ]
    if close:
        node = max(close, key=lambda one: one.forward.peak if one.forward else 0.0)
        peak = node.forward.peak if node.forward else 0.0
        yield Finding(
            "IN801",
            "warning",
            measures.behind(node.index) or (node.module,),
            f"values reach {number(peak)} in float16, whose largest number is {number(limits.HALF_LARGEST)}",
            f"a margin of at least {number(limits.HALF_MARGIN)}",
            "the first large batch or step overflows to inf",
            "use bfloat16, or start the weights before it smaller",
            cost=limits.WARNING_COST,
        )


def _underflow(measures: Measures, half: list[Node]) -> Iterator[Finding]:
    lost = [
        node for node in half
        if node.category == "weighted" and node.backward is not None and 0 < node.backward.rms < limits.HALF_SMALLEST
    ]  # fmt: skip
    if lost:
        yield Finding(
            "IN802",
            "warning",
            tuple(dict.fromkeys(name for node in lost for name in measures.weights_at.get(node.index, ()))),
            "gradients are smaller than the smallest number of float16",
            f"gradients above {limits.HALF_SMALLEST:.0e}",
            "they become zero and the layer does not learn",
            "scale the loss (torch.amp.GradScaler) or use bfloat16",
            cost=limits.WARNING_COST,
        )
