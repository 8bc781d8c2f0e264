"""What a comparison will cost, from a few measured steps."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from initium.report import duration
from initium.study.design import Design
from initium.study.trial import TrialResult, run_trial

MEASURED = 10
"""Steps of the trial that is measured."""


@dataclass(frozen=True)
class Cost:
    """What a comparison will cost if nothing else runs.

    Args:
        fewest: trials if the race is clear.
        most: trials if no init is stopped early.
        step_seconds: one step on one worker, measured here.
        fixed_seconds: what a trial takes besides its steps: data, init, diagnosis, evaluation; measured here.
        steps: of a trial.
        workers: trials at a time.
    """

    fewest: int
    most: int
    step_seconds: float
    fixed_seconds: float
    steps: int
    workers: int

    @property
    def trial_seconds(self) -> float:
        """One trial."""
        return self.fixed_seconds + self.steps * self.step_seconds

    def seconds(self, trials: int) -> float:
        """Wall time of so many trials."""
        return self.trial_seconds * trials / min(self.workers, max(1, trials))

    def __str__(self) -> str:
        return (
            f"{self.fewest} to {self.most} trials of {self.steps} steps\n"
            f"one step {1000 * self.step_seconds:.1f} ms, one trial {self.trial_seconds:.1f} s (measured here)\n"
            f"about {duration(self.seconds(self.fewest))} to {duration(self.seconds(self.most))} "
            f"on {self.workers} workers of this speed"
        )


def measured(design: Design, *, workers: int) -> Cost:
    """Runs a trial of a few steps in this process, with the init that is first in the design.

    Raises:
        InitiumError: the trial failed.
    """
    few = min(MEASURED, design.base.steps)
    spec = replace(design.spec(next(iter(design.inits)), design.lrs[0], 0), steps=few)
    run_trial(replace(spec, steps=1).to_data())  # the first one in a process loads code and data
    begin = time.perf_counter()
    result = TrialResult.from_data(run_trial(spec.to_data()))
    total = time.perf_counter() - begin
    step = result.seconds / result.steps_done
    return Cost(
        design.fewest_trials, design.most_trials, step, total - result.seconds, design.base.steps, workers
    )
