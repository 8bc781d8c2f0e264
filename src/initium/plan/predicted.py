"""What theory predicts of a model that starts as a plan says, before a weight is written."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from initium.diagnose.prediction import Predicted, predict
from initium.diagnose.signal import Weights
from initium.plan.assignment import Assignment
from initium.random import fill_, key_for
from initium.record import Record
from initium.record.structure import structure_of


def predicted(seen: Record, assignments: Iterable[Assignment], *, seed: int = 0) -> tuple[Predicted, ...]:
    """`predict` with the planned weights in the place of those that the record found.

    Args:
        seen: one recorded run of the model.
        assignments: of a plan; kept parameters count as they were found.
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
    planned = {one.name: _weights(one, seed) for one in assignments if not one.keeps}
    return predict(seen, planned)


def _weights(one: Assignment, seed: int) -> Weights:
    drawn: Tensor = fill_(torch.empty(one.layer.shape), one.draw(), key_for(seed, one.name))
    if not drawn.numel():
        return Weights(0.0)
    return Weights(float(drawn.square().mean()), structure_of(drawn), float(drawn.mean()))
