"""Comparisons made of chosen numbers, without a trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from initium.engines import Failed
from initium.study.contest.comparison import Comparison
from initium.study.contest.conduct import Cell, Conduct
from initium.study.contest.design import Design
from initium.study.trial.inits import Health
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

Loss = Callable[[str, float, int], float]
"""(label, learning rate, seed) to area."""


@dataclass
class Outcome:
    """What a runner hands back."""

    result: TrialResult | None
    failure: Failed | None = None


def result(area: float, *, diverged: bool = False, steps: int = 40) -> TrialResult:
    """A run whose loss falls from 2.3 so that its mean is about `area`."""
    losses = tuple(area + (2.3 - area) * 0.8**i for i in range(steps // 4 if diverged else steps))
    return TrialResult(
        losses, area, 4.6 if diverged else losses[-1], 0.0 if diverged else 1 - area / 3, area, diverged,
        len(losses), 0.25, Health("healthy" if area < 1 else "unhealthy", area, "auto"),
        0.0 if diverged else 1 - area / 4,
    )  # fmt: skip


def design(
    *labels: str, lrs: tuple[float, ...] = (1e-3, 3e-3), seeds: int = 5, confirm: int = 8, steps: int = 40
) -> Design:
    """A design whose inits differ only in their labels."""
    inits = {label: {"kind": "policy", "policy": "he_normal"} for label in labels}
    spec = TrialSpec("mlp8-relu", next(iter(inits.values())), {"kind": "classification"}, steps=steps)
    return Design(spec, inits, lrs, seeds, confirm)


def conducted(made: Design, loss: Loss, *, phases: int = 99, failed: str = "") -> Conduct:
    """A comparison that ran so many of its phases; the init `failed` fails at its first trial."""
    conduct = Conduct(made)
    for _, due in zip(range(phases), conduct.phases(), strict=False):
        ended: dict[Cell, Outcome] = {}
        for cell in due.cells:
            if cell.label == failed:
                ended[cell] = Outcome(None, Failed(cell.label, "error", "<b>out</b> of memory"))
            else:
                area = loss(cell.label, cell.lr, cell.seed)
                ended[cell] = Outcome(result(area, diverged=area >= 4, steps=made.base.steps))
        conduct.take(ended)  # type: ignore[arg-type]
    return conduct


def spread(means: dict[str, float], sd: float = 0.02) -> Loss:
    """Losses around a mean, the same noise at every learning rate, worse at the lower rate."""

    def loss(label: str, lr: float, seed: int) -> float:
        noise = np.random.default_rng([seed, *label.encode()]).normal()
        return means[label] + sd * float(noise) + (0.05 if lr < 2e-3 else 0.0)

    return loss


def compared(means: dict[str, float], sd: float = 0.02) -> Comparison:
    """A finished comparison of inits with these mean losses."""
    return Comparison.of(conducted(design(*means), spread(means, sd)))
