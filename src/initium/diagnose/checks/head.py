"""IN6xx: what the heads say before anything is learned."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.finding import Finding, plan_rule
from initium.diagnose.measures import Measures
from initium.report import number


def check_head(measures: Measures) -> Iterator[Finding]:
    """IN601 a huge part of the loss, IN602 output scale, IN603 a loss far above chance."""
    yield from _loss(measures)
    yield from _chance(measures)
    yield from _size(measures)


def _loss(measures: Measures) -> Iterator[Finding]:
    for name, value in measures.record.losses.items():
        if math.isfinite(value) and value > limits.FIRST_LOSS:
            yield Finding(
                "IN601",
                "warning",
                _heads(measures),
                f"the first {name} is {number(value)}",
                f"a first loss of the order of 1, at most {number(limits.FIRST_LOSS)}",
                "the first steps are spent, or lost, on undoing the head's start",
                "start the class bias at -log((1 - p) / p) for rare classes (p = 0.01) and the head's weights small",
                cost=_loss_cost(value),
            )


def _loss_cost(value: float) -> float:
    """Badness of a part of the loss: one for each decade that it is too large, up to a few."""
    decades = min(math.log10(value / limits.FIRST_LOSS), limits.FIRST_LOSS_DECADES)
    return decades + limits.WARNING_COST


def _chance(measures: Measures) -> Iterator[Finding]:
    loss, chance = measures.record.loss, measures.record.chance
    if loss is None or chance is None or not math.isfinite(loss) or loss <= limits.CHANCE_RATIO * chance:
        return
    yield Finding(
        "IN603",
        "warning",
        _heads(measures),
        f"the first loss is {number(loss)}, that of a model that knows nothing is {number(chance)}",
        f"at most {number(limits.CHANCE_RATIO)} times that",
        "the head starts confident and wrong",
        "start the head's weight smaller, or at zero",
        cost=limits.WARNING_COST,
    )


def _heads(measures: Measures) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(name for head in measures.last for name in measures.weights_at.get(head.index, ()))
    )


def _size(measures: Measures) -> Iterator[Finding]:
    large = [
        head for head in measures.last if head.forward is not None and head.forward.rms > limits.OUTPUT_RMS
    ]
    # nan and inf have findings of their own, which name where they begin.
    if not large or measures.broken:
        return
    worst = max(head.forward.rms for head in large if head.forward is not None)
    names = tuple(dict.fromkeys(name for head in large for name in measures.weights_at.get(head.index, ())))
    yield Finding(
        "IN602",
        "error",
        names,
        f"the outputs are large: their root mean square is {number(worst)}",
        f"at most {number(limits.OUTPUT_RMS)}",
        "the first predictions are confident and wrong, so the first loss is huge",
        "start the head's weight smaller, or at zero",
        plan_rule(names[0], "lecun_normal") if len(names) == 1 else None,
    )
