"""Runs trials on an engine, writes each result down when it comes, and runs none that the store has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from initium.engines import Done, Engine, Failed, Job, Outcome, Work, run
from initium.study.run.store import Store
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult, run_trial


@dataclass(frozen=True)
class Ended:
    """What became of a trial.

    Args:
        spec: the trial.
        result: None if it failed.
        failure: None if it did not.
        seconds: how long the worker had it; 0 for one that the store had.
        kept: whether the store had it.
    """

    spec: TrialSpec
    result: TrialResult | None
    failure: Failed | None = None
    seconds: float = 0.0
    kept: bool = False


class Watch(Protocol):
    """Is told what happens in a study."""

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """A phase begins with these trials; at most `most` end until the study does, these included."""
        ...

    def ended(self, one: Ended) -> None:
        """A trial ended."""
        ...


class Silent:
    """A watch that says nothing."""

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """Nothing."""

    def ended(self, one: Ended) -> None:
        """Nothing."""


class Runner:
    """Runs trials.

    Args:
        engine: where they run; entered and left by its owner.
        store: where their results are kept.
        watch: is told of every trial that ends.
        work: the function that runs one.
    """

    def __init__(
        self, engine: Engine, store: Store, *, watch: Watch | None = None, work: Work = run_trial
    ) -> None:
        self.engine, self.store, self.watch, self.work = engine, store, watch or Silent(), work

    def run(self, specs: Iterable[TrialSpec]) -> dict[str, Ended]:
        """What became of every trial, by key; those that the store has are not run.

        Whatever interrupts it, each trial that ended before is in the store.

        Raises:
            StoreError: a result could not be written.
        """
        wanted = {spec.key: spec for spec in specs}
        found: dict[str, Ended] = {}
        for key, result in self.store.results(wanted).items():
            found[key] = Ended(wanted[key], result, kept=True)
            self.watch.ended(found[key])
        jobs = (Job(key, spec.to_data(), spec.functions) for key, spec in wanted.items() if key not in found)
        for outcome in run(self.engine, self.work, jobs):
            found[outcome.key] = self._kept(wanted[outcome.key], outcome)
            self.watch.ended(found[outcome.key])
        return {key: found[key] for key in wanted}

    def _kept(self, spec: TrialSpec, outcome: Outcome) -> Ended:
        """Writes an outcome down."""
        if isinstance(outcome, Done):
            result = TrialResult.from_data(outcome.result)
            self.store.put(spec, result, attempts=outcome.attempts)
            return Ended(spec, result, seconds=outcome.seconds)
        self.store.put_failure(spec, outcome)
        return Ended(spec, None, outcome)
