"""The outcome of a comparison as an immutable record: every trial, the ranking, and what can be claimed."""

from __future__ import annotations

from dataclasses import dataclass

from initium.codec import Stored
from initium.report import Readable
from initium.study.contest import race
from initium.study.contest.conduct import Conduct
from initium.study.contest.race import Decision
from initium.study.contest.sentences import sentences
from initium.study.contest.standing import Standing, standing_of
from initium.study.contest.statistics import EQUIVALENCE_MARGIN
from initium.study.tasks.kinds import metric_of


@dataclass(frozen=True)
class Comparison(Readable, Stored):
    """Which init is best for a model and a task, and where the difference is none.

    Args:
        model: name of the model, with the arguments it is made with.
        task: kind of the task.
        metric: name of the score; higher is better.
        optimizer: name of the optimizer.
        lrs: learning rates that every init was tried at.
        steps: updates of one trial.
        batch_size: samples a step.
        seeds: seeds of screening and race.
        confirm: fresh seeds that were asked for.
        margin: half-width of the region of practical equivalence, as a share of the better loss.
        finished: whether the study came to its end.
        standings: the inits in the order of the ranking, those that failed last.
        decision: what can be claimed.

    Example:
        >>> found = Comparison.from_json(Comparison("mlp8-relu", "classification", "accuracy", "adamw", (1e-3,), 150,
        ...     128, 5, 8, 0.02, False, (), race.decide({}, {})).to_json())
        >>> found.winner, found.steps
        (None, 150)
    """

    model: str
    task: str
    metric: str
    optimizer: str
    lrs: tuple[float, ...]
    steps: int
    batch_size: int
    seeds: int
    confirm: int
    margin: float
    finished: bool
    standings: tuple[Standing, ...]
    decision: Decision

    @classmethod
    def of(cls, conduct: Conduct, *, margin: float = EQUIVALENCE_MARGIN) -> Comparison:
        """The record of a comparison, also of one that is under way.

        Raises:
            MissingExtraError: scipy is not installed.
        """
        design = conduct.design
        found = {label: standing_of(conduct, label) for label in design.inits}
        sound = {label: one for label, one in found.items() if not one.failure}
        decision = race.decide(
            {label: one.losses(fresh=False) for label, one in sound.items()},
            {label: one.losses(fresh=True) for label, one in sound.items()},
            {label: list(one.elsewhere.values()) for label, one in sound.items()},
            margin=margin,
        )
        order = [*decision.ranking, *(label for label in found if label not in decision.ranking)]
        kind = str(design.base.task.get("kind", ""))
        return cls(
            model=design.base.model_text,
            task=kind,
            metric=metric_of(design.base.task),
            optimizer=design.base.optimizer,
            lrs=tuple(design.lrs),
            steps=design.base.steps,
            batch_size=design.base.batch_size,
            seeds=design.seeds,
            confirm=design.confirm,
            margin=margin,
            finished=conduct.finished,
            standings=tuple(found[label] for label in order),
            decision=decision,
        )

    def __getitem__(self, name: str) -> Standing:
        return next(one for one in self.standings if one.name == name)

    @property
    def winner(self) -> str | None:
        """The init that beat all other finalists on fresh seeds; None if there is none."""
        return self.decision.winner

    @property
    def ranking(self) -> tuple[str, ...]:
        """Names of the inits, best first."""
        return self.decision.ranking

    @property
    def seconds(self) -> float:
        """Time that the steps of all trials took together."""
        return sum(score.seconds for one in self.standings for score in one.scores)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the study says, the outcome first."""
        return sentences(self)
