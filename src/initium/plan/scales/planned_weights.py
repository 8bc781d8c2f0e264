"""What theory predicts of a model that starts as a plan says, before a weight is written."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from initium.methods.kit.law import law
from initium.plan.records.assignment import Assignment
from initium.predict.prediction import Predicted, predict
from initium.predict.signal import Weights
from initium.random import Draw, fill_, key_for
from initium.record import Record
from initium.record.parameters.weight_structure import structure_of


def predicted(seen: Record, assignments: Iterable[Assignment], *, seed: int = 0) -> tuple[Predicted, ...]:
    """`predict` with the planned weights in the place of those that the record found.

    Args:
        seen: one recorded run of the model.
        assignments: of a plan; kept parameters count as they were found, those of a meta model as their plan says.
        seed: of the draws, as for `Plan.apply`.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))
        >>> x = torch.ones(8, 64)
        >>> made = initium.plan(net, x, policy="he_normal")
        >>> sites = predicted(initium.record(net, x), made)
        >>> [round(one.second) for one in sites]
        [2, 2]
    """
    return predict(seen, planned_weights(seen, assignments, seed=seed))


def planned_weights(seen: Record, assignments: Iterable[Assignment], *, seed: int) -> dict[str, Weights]:
    """What theory needs to know of every parameter that does not stay as the record found it."""
    draws = {one.name: _draw(seen, one) for one in assignments}
    return {name: _weights(name, draw, seen, seed) for name, draw in draws.items() if draw is not None}


def _draw(seen: Record, one: Assignment) -> Draw | None:
    """What the parameter will be drawn by; None where it stays as the record found it."""
    if not one.keeps:
        return one.draw()
    return one.as_found() if seen.parameter(one.name).meta else None


def _weights(name: str, draw: Draw, seen: Record, seed: int) -> Weights:
    """By the law of independent draws, else by looking at what will be drawn."""
    known, shape = law(draw), seen.parameter(name).shape
    # A mean adds up over the rows of a matrix, so how much of it each row has must be seen; a vector has no rows.
    if known is not None and (known.mean == 0 or len(shape) < 2):
        return Weights(known.var + known.mean**2, mean=known.mean)
    drawn: Tensor = fill_(torch.empty(shape), draw, key_for(seed, name))
    if not drawn.numel():
        return Weights(0.0)
    return Weights(float(drawn.square().mean()), structure_of(drawn), float(drawn.mean()))
