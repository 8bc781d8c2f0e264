"""The course of a comparison, as a pure function of its results: which trials are due, who is out, who is confirmed.

Screening: every init at every learning rate on two seeds; each keeps the rate at which its mean loss is lowest.
Race: seed by seed, at that rate; from the third seed on, inits that are clearly behind the leader are stopped.
Confirmation: those that are left, at least two, on fresh seeds that no choice was made on.
Cross-check: those that were beaten, on the fresh seeds at the other rates that may be their best, and at the victor's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from initium.errors import TrialError
from initium.study.contest.design import Design
from initium.study.contest.race import SCREENED, claims, finalists, likely_rates, losers
from initium.study.run.runner import Ended
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult


@dataclass(frozen=True, order=True)
class Cell:
    """One trial of a comparison."""

    label: str
    lr: float
    seed: int


@dataclass(frozen=True)
class Due:
    """Trials that can run now, since nothing that is decided later depends on their order."""

    phase: str
    cells: tuple[Cell, ...]
    most: int


@dataclass(eq=False)
class Conduct:
    """A comparison under way.

    Args:
        design: what is compared.
        results: of the trials that ended well.
        failed: label to the message of the failure that put an init out.
        likely: label to the learning rates that may be its best, once screening is over; the first is its own.
        stopped: label to the number of seeds after which the race was over for it.
        finalists: those that are confirmed.
        finished: whether all trials that were due have ended.
    """

    design: Design
    results: dict[Cell, TrialResult] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    likely: dict[str, tuple[float, ...]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    finalists: tuple[str, ...] = ()
    finished: bool = False

    def phases(self) -> Iterator[Due]:
        """What is due, step by step; before the next step is asked for, `take` must have been given all of it."""
        design = self.design
        yield self._due("screening", design.lrs, range(SCREENED), self.alive)
        self.likely = {label: self._likely_rates(label) for label in self.alive}
        for seed in range(SCREENED, design.seeds):
            yield self._due("race", None, [seed], self.alive)
            for label in losers({label: self.losses(label) for label in self.alive}):
                self.stopped[label] = seed + 1
        raced = {label: self.losses(label) for label in self.likely if label not in self.failed}
        self.finalists = finalists(raced, self.stopped)
        yield self._due("confirmation", None, design.fresh_seeds, self.finalists)
        checked = self._cross_checked()
        if checked:
            yield Due("cross-check", checked, len(checked))
        self.finished = True

    def take(self, cells: Mapping[Cell, Ended]) -> None:
        """Takes in what became of trials; an init of which one failed is out."""
        for cell, one in sorted(cells.items()):
            if one.result is not None:
                self.results[cell] = one.result
            elif one.failure is not None:
                told = f"seed {cell.seed}, learning rate {cell.lr:g}: {one.failure.message}"
                self.failed.setdefault(cell.label, told)

    @property
    def alive(self) -> tuple[str, ...]:
        """Labels that are still in the race."""
        return tuple(one for one in self.design.inits if one not in self.failed and one not in self.stopped)

    def rate(self, label: str) -> float:
        """The init's own learning rate: that of its lowest mean over the screened seeds; the smaller one of equals."""
        return self.likely[label][0]

    def _likely_rates(self, label: str) -> tuple[float, ...]:
        return likely_rates({lr: self._losses(label, lr, range(SCREENED)) for lr in self.design.lrs})

    def losses(self, label: str) -> dict[int, float]:
        """Seed to loss at the init's own learning rate, of the seeds before confirmation."""
        return self._losses(label, self.rate(label), range(self.design.seeds))

    def _losses(self, label: str, lr: float, seeds: Sequence[int]) -> dict[int, float]:
        cells = {seed: Cell(label, lr, seed) for seed in seeds}
        return {seed: self.results[cell].area for seed, cell in cells.items() if cell in self.results}

    def _cross_checked(self) -> tuple[Cell, ...]:
        """What is still to be run before one finalist is said to beat another that may do better at another rate."""
        fresh = self.design.fresh_seeds
        alive = [label for label in self.finalists if label not in self.failed]
        rivals = {
            (loser, lr)
            for victor, loser in claims({one: self._losses(one, self.rate(one), fresh) for one in alive})
            for lr in {self.rate(victor), *self.likely[loser]} - {self.rate(loser)}
        }
        return tuple(Cell(label, lr, seed) for seed in fresh for label, lr in sorted(rivals))

    def _due(
        self, phase: str, lrs: Sequence[float] | None, seeds: Sequence[int], labels: Sequence[str]
    ) -> Due:
        """The cells of these inits, seeds and rates (None: the best of each), seed by seed."""
        self._check_any(labels)
        cells = [
            Cell(label, lr, seed)
            for seed in seeds
            for label in labels
            for lr in (lrs if lrs is not None else [self.rate(label)])
        ]
        return Due(phase, tuple(cells), len(cells) + self._most_after(phase, seeds, len(labels)))

    def _most_after(self, phase: str, seeds: Sequence[int], num: int) -> int:
        """Trials after these if no init is stopped any more."""
        own, checked = self.design.most_confirmed(num)
        if phase == "confirmation":
            return checked
        return num * (self.design.seeds - 1 - max(seeds)) + own + checked

    def _check_any(self, labels: Sequence[str]) -> None:
        if labels:
            return
        label, told = next(iter(self.failed.items()))
        raise TrialError(
            f"trials of every init failed; the first was {label}, {told}",
            expected="trials that end",
            remedy="correct what the message tells; trials that ended well are kept, and failed ones run again",
        )

    def spec(self, cell: Cell) -> TrialSpec:
        """The trial of a cell."""
        return self.design.spec(cell.label, cell.lr, cell.seed)
