"""How one init did in a comparison: its trials, its best learning rate, its learning curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from initium.study.contest.conduct import Conduct
from initium.study.contest.statistics import capped
from initium.study.trial.trial import TrialResult

MEAN_CURVE_POINTS = 60
"""Points of a mean learning curve."""


@dataclass(frozen=True)
class Score:
    """One trial of an init.

    Args:
        lr: learning rate.
        seed: of draws and data.
        fresh: whether the seed was kept for confirmation.
        area: mean training loss over all steps, the loss that inits are compared by.
        final_loss: mean training loss of the last steps.
        test_loss: loss on the test samples.
        metric: score on the test samples.
        diverged: whether the run was stopped as diverged.
        seconds: time of its steps.
        verdict: of the diagnosis before the first step.
        badness: of the same diagnosis.
        chosen: candidate that the policy took; "" where there is no choice.
        train_metric: score on as many training samples; None in results of older versions.
    """

    lr: float
    seed: int
    fresh: bool
    area: float
    final_loss: float
    test_loss: float
    metric: float
    diverged: bool
    seconds: float
    verdict: str
    badness: float
    chosen: str = ""
    train_metric: float | None = None


@dataclass(frozen=True)
class Curve:
    """The learning curve at the best learning rate: over all seeds that reached a step, at equal distances of steps.

    Args:
        steps: where each point stands, the middle of its stretch.
        mean: mean training loss.
        low: lowest of the seeds.
        high: highest of the seeds.
    """

    steps: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Standing:
    """How one init did.

    Args:
        name: its label.
        lr: its best learning rate; None if no trial of it ended.
        stopped: seeds after which it was stopped in the race; 0 if it was not.
        failure: what put it out; "" if nothing did.
        scores: its trials, by learning rate and seed.
        curve: at the best learning rate.
    """

    name: str
    lr: float | None
    stopped: int
    failure: str
    scores: tuple[Score, ...]
    curve: Curve = Curve()

    @property
    def best(self) -> tuple[Score, ...]:
        """The trials at the best learning rate."""
        return tuple(score for score in self.scores if score.lr == self.lr)

    def losses(self, *, fresh: bool) -> dict[int, float]:
        """Seed to area at the best learning rate, of the fresh seeds or of those before them."""
        return {score.seed: score.area for score in self.best if score.fresh == fresh}

    @property
    def elsewhere(self) -> dict[float, dict[int, float]]:
        """Other learning rates that were checked on fresh seeds, each with its areas by seed."""
        found: dict[float, dict[int, float]] = {}
        for score in self.scores:
            if score.fresh and score.lr != self.lr:
                found.setdefault(score.lr, {})[score.seed] = score.area
        return found

    def mean(self, field: str) -> float:
        """Mean of a number or a truth of `Score` over the trials at the best learning rate; nan if there are none.

        Over the fresh seeds alone where there are any: an init that was confirmed is told by them.
        """
        chosen = [score for score in self.best if score.fresh] or self.best
        values = [getattr(score, field) for score in chosen]
        return sum(values) / len(values) if values and None not in values else math.nan

    def by_rate(self) -> dict[float, tuple[float, ...]]:
        """Learning rate to the areas of the seeds that every rate was tried on."""
        rates = sorted({score.lr for score in self.scores})
        tried = [{s.seed for s in self.scores if s.lr == lr and not s.fresh} for lr in rates]
        common = set.intersection(*tried) if tried else set()
        return {lr: tuple(s.area for s in self.scores if s.lr == lr and s.seed in common) for lr in rates}


def standing_of(conduct: Conduct, label: str) -> Standing:
    """How an init stands, also in a comparison that is under way."""
    results = {(c.lr, c.seed): one for c, one in sorted(conduct.results.items()) if c.label == label}
    scores = tuple(_score(lr, seed, seed >= conduct.design.seeds, one) for (lr, seed), one in results.items())
    lr = conduct.rate(label) if label in conduct.likely else _best_rate(scores)
    curve = mean_curve([one for key, one in results.items() if key[0] == lr], conduct.design.base.steps)
    return Standing(label, lr, conduct.stopped.get(label, 0), conduct.failed.get(label, ""), scores, curve)


def _score(lr: float, seed: int, fresh: bool, one: TrialResult) -> Score:
    return Score(
        lr, seed, fresh, one.area, one.final_loss, one.test_loss, one.metric, one.diverged, one.seconds,
        one.health.verdict, one.health.badness, one.health.chosen, one.train_metric,
    )  # fmt: skip


def _best_rate(scores: Sequence[Score]) -> float | None:
    """The rate with the lowest mean so far; None before there is a trial."""
    areas: dict[float, list[float]] = {}
    for score in scores:
        areas.setdefault(score.lr, []).append(score.area)
    return min(areas, key=lambda lr: (sum(areas[lr]) / len(areas[lr]), lr), default=None)


def mean_curve(results: Sequence[TrialResult], steps: int, *, most: int = MEAN_CURVE_POINTS) -> Curve:
    """The mean of the loss curves of several seeds, over equal stretches of steps.

    A run that diverged counts up to the step where it did.
    """
    num = min(most, steps)
    edges = [steps * i / num for i in range(num + 1)]
    stretches: list[Mapping[int, float]] = [_stretches(one, edges) for one in results]
    points = [
        (i, [one[i] for one in stretches if i in one])
        for i in range(num)
        if any(i in one for one in stretches)
    ]
    return Curve(
        tuple((edges[i] + edges[i + 1]) / 2 for i, _ in points),
        tuple(sum(values) / len(values) for _, values in points),
        tuple(min(values) for _, values in points),
        tuple(max(values) for _, values in points),
    )


def _stretches(one: TrialResult, edges: Sequence[float]) -> dict[int, float]:
    """Number of a stretch to the mean loss of one run in it."""
    if not one.losses:
        return {}
    width = one.steps_done / len(one.losses)
    middles = [(k + 0.5) * width for k in range(len(one.losses))]
    losses = capped(
        one.losses, one.final_loss if one.diverged else math.inf
    ).tolist()  # the final one is the ceiling
    found = {}
    for i, (low, high) in enumerate(pairwise(edges)):
        inside = [loss for middle, loss in zip(middles, losses, strict=True) if low <= middle < high]
        if inside:
            found[i] = sum(inside) / len(inside)
    return found
