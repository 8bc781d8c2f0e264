"""What a study will cost, from a few measured steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from initium.report import duration
from initium.study.contest.design import Design
from initium.study.trial.trial import TrialResult, run_trial

MEASURED = 10
"""Steps of the trial that is measured."""


class Batch(NamedTuple):
    """Trials that can run at a time; the next ones follow from their results.

    Args:
        num: how many.
        steps: of each.
    """

    num: int
    steps: int


@dataclass(frozen=True)
class Cost:
    """What a study will cost if nothing else runs.

    Args:
        fewest_batches: its trials if the race is clear.
        most_batches: its trials if no init is stopped early.
        step_seconds: one step on one worker, measured here.
        fixed_seconds: what a trial takes besides its steps: data, init, diagnosis, evaluation; measured here.
        workers: trials at a time, where there are as many to run.
    """

    fewest_batches: tuple[Batch, ...]
    most_batches: tuple[Batch, ...]
    step_seconds: float
    fixed_seconds: float
    workers: int

    @property
    def fewest(self) -> int:
        """Trials if the race is clear."""
        return sum(batch.num for batch in self.fewest_batches)

    @property
    def most(self) -> int:
        """Trials if no init is stopped early."""
        return sum(batch.num for batch in self.most_batches)

    def trial_seconds(self, steps: int) -> float:
        """One trial."""
        return self.fixed_seconds + steps * self.step_seconds

    def seconds(self, batches: Sequence[Batch]) -> float:
        """Wall time, in which workers idle at the end of every batch."""
        return sum(math.ceil(one.num / self.workers) * self.trial_seconds(one.steps) for one in batches)

    def after(self, batches: tuple[Batch, ...]) -> Self:
        """The cost of the study with other trials before it."""
        return replace(
            self,
            fewest_batches=batches + self.fewest_batches,
            most_batches=batches + self.most_batches,
        )

    def __str__(self) -> str:
        steps = max(batch.steps for batch in self.most_batches)
        short = min(batch.steps for batch in self.most_batches)
        widest = max(batch.num for batch in self.most_batches)
        return (
            f"{self.fewest} to {self.most} trials of {steps if short == steps else f'{short} to {steps}'} steps, "
            f"at most {widest} at a time\n"
            f"one step {1000 * self.step_seconds:.1f} ms, one trial {self.trial_seconds(steps):.1f} s (measured here)\n"
            f"about {duration(self.seconds(self.fewest_batches))} to {duration(self.seconds(self.most_batches))} "
            f"on {self.workers} workers of this speed"
        )


def measured(design: Design, *, workers: int) -> Cost:
    """Runs a trial of a few steps in this process, with the init that is first in the design.

    Raises:
        InitiumError: the trial failed.
    """
    steps = design.base.steps
    spec = replace(design.spec(next(iter(design.inits)), design.lrs[0], 0), steps=min(MEASURED, steps))
    run_trial(replace(spec, steps=1).to_data())  # the first one in a process loads code and data
    begin = time.perf_counter()
    result = TrialResult.from_data(run_trial(spec.to_data()))
    total = time.perf_counter() - begin
    fewest, most = (
        tuple(Batch(num, steps) for num in batches if num)
        for batches in (design.fewest_batches, design.most_batches)
    )
    return Cost(fewest, most, result.seconds / result.steps_done, total - result.seconds, workers)
