"""The course of a comparison, as a pure function of its results: which trials are due, who is out, who is confirmed.

Screening: every init at every learning rate on two seeds; each keeps the rate at which its mean loss is lowest.
Race: seed by seed, at that rate; from the third seed on, inits that are clearly behind the leader are stopped.
Confirmation: those that are left, at least two, on fresh seeds that no choice was made on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from initium.errors import TrialError
from initium.study.design import SCREENED, Design
from initium.study.race import finalists, losers
from initium.study.runner import Ended
from initium.study.spec import TrialSpec
from initium.study.trial import TrialResult

PHASES = ("screening", "race", "confirmation")


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
        rates: label to its best learning rate, once screening is over.
        stopped: label to the number of seeds after which the race was over for it.
        finalists: those that are confirmed.
        finished: whether all trials that were due have ended.
    """

    design: Design
    results: dict[Cell, TrialResult] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    finalists: tuple[str, ...] = ()
    finished: bool = False

    def phases(self) -> Iterator[Due]:
        """What is due, step by step; before the next step is asked for, `take` must have been given all of it."""
        design = self.design
        yield self._due("screening", design.lrs, range(SCREENED), self.alive)
        self.rates = {label: self.best_rate(label) for label in self.alive}
        for seed in range(SCREENED, design.seeds):
            yield self._due("race", None, [seed], self.alive)
            for label in losers({label: self.losses(label) for label in self.alive}):
                self.stopped[label] = seed + 1
        raced = {label: self.losses(label) for label in self.rates if label not in self.failed}
        self.finalists = finalists(raced, self.stopped)
        fresh = range(design.seeds, design.seeds + design.confirm)
        yield self._due("confirmation", None, fresh, self.finalists)
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

    def best_rate(self, label: str) -> float:
        """The learning rate whose mean over the screened seeds is lowest; the smaller one of equals."""

        def mean(lr: float) -> float:
            return sum(self.results[Cell(label, lr, seed)].area for seed in range(SCREENED)) / SCREENED

        return min(self.design.lrs, key=lambda lr: (mean(lr), lr))

    def losses(self, label: str) -> dict[int, float]:
        """Seed to loss at the init's best learning rate, of the seeds before confirmation."""
        return self._losses(label, range(self.design.seeds))

    def fresh_losses(self, label: str) -> dict[int, float]:
        """The same of the seeds of confirmation."""
        return self._losses(label, range(self.design.seeds, self.design.seeds + self.design.confirm))

    def _losses(self, label: str, seeds: Sequence[int]) -> dict[int, float]:
        cells = {seed: Cell(label, self.rates[label], seed) for seed in seeds}
        return {seed: self.results[cell].area for seed, cell in cells.items() if cell in self.results}

    def _due(
        self, phase: str, lrs: Sequence[float] | None, seeds: Sequence[int], labels: Sequence[str]
    ) -> Due:
        """The cells of these inits, seeds and rates (None: the best of each), seed by seed."""
        self._check_any(labels)
        cells = [
            Cell(label, lr, seed)
            for seed in seeds
            for label in labels
            for lr in (lrs if lrs is not None else [self.rates[label]])
        ]
        return Due(phase, tuple(cells), len(cells) + self._most_after(phase, seeds, len(labels)))

    def _most_after(self, phase: str, seeds: Sequence[int], num: int) -> int:
        """Trials after these if no init is stopped any more."""
        if phase == "confirmation":
            return 0
        return num * (self.design.seeds - 1 - max(seeds) + self.design.confirm)

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
