"""A search over starts: many short trials, few long ones, asked for and told to Optuna from the controller.

Everything is decided batch by batch in the order in which it was asked, so a search that is run again with a store
that has its first trials takes the same course and goes on where it was.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from initium.errors import MissingExtraError
from initium.study.contest.cost import Batch
from initium.study.run.runner import Runner
from initium.study.search.optuna_mirror import Mirror
from initium.study.search.space import Candidate, Space
from initium.study.trial.spec import TrialSpec, digest

ASKED_AT_ONCE = 8
"""Trials that are asked for at once, whatever the number of workers."""
SHORT = 4
"""The first trials are so many times shorter."""
KEPT = 8
"""One in so many goes on to full length."""
FIRST_SEED = 1_000_000
"""Seeds of a search; far from those that compare what it finds."""
LONG_SEEDS = 2


@dataclass(frozen=True)
class Found:
    """A candidate and how it did.

    Args:
        candidate: its dials.
        init: the same as the init of a trial.
        short: loss of its short trial.
        long: mean loss of its full trials; None if it was not taken so far.
    """

    candidate: Candidate
    init: Mapping[str, Any]
    short: float
    long: float | None = None

    @property
    def loss(self) -> float:
        """The loss of its longest trials."""
        return self.short if self.long is None else self.long


@dataclass(frozen=True)
class Stage:
    """Where a search is.

    Args:
        name: "short trials" or "trials of full length".
        num: how many this stage has.
        left: how many of them have not ended, those included that are due.
        due: trials that run now.
        found: what was tried before them.
    """

    name: str
    num: int
    left: int
    due: Sequence[TrialSpec]
    found: Sequence[Found]


Told = Callable[[Stage], object]
"""Is told before each batch of trials."""


def optuna_module() -> ModuleType:
    """Optuna, which the extra `study` brings.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(
            "optuna is not installed",
            expected="the extra `study`, which a search needs",
            remedy="pip install 'initium[study]'",
        ) from error
    return optuna  # type: ignore[no-any-return]


def search(
    space: Space,
    base: TrialSpec,
    runner: Runner,
    *,
    trials: int,
    seed: int = 0,
    shown: Path | None = None,
    told: Told = lambda _: None,
) -> tuple[Found, ...]:
    """Candidates that were tried at full length, best first, no two with one init.

    Args:
        space: what is searched.
        base: what all trials share.
        runner: runs them.
        trials: what may be spent, in trials of full length.
        seed: of the sampler.
        shown: file for the Optuna dashboard; None writes none.
        told: is told where the search is before each batch.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    short = replace(base, steps=max(1, base.steps // SHORT), seed=FIRST_SEED)
    num_short, num_long = sizes(trials)
    found = _sampled(space, short, runner, num_short, seed, shown, told)
    chosen = promoted(found, num_long)
    return tuple(sorted(_lengthened(chosen, base, runner, told), key=lambda one: (one.long, one.short)))


def sizes(trials: int) -> tuple[int, int]:
    """How many candidates are tried in short trials, and how many of them at full length."""
    num_long = max(2, trials // (2 * LONG_SEEDS))
    num_short = max(ASKED_AT_ONCE, (trials - num_long * LONG_SEEDS) * SHORT)
    return min(num_short, num_long * KEPT), num_long


def batches(trials: int, steps: int) -> tuple[Batch, ...]:
    """The trials of a search."""
    num_short, num_long = sizes(trials)
    starts = range(0, num_short, ASKED_AT_ONCE)
    short = [Batch(min(ASKED_AT_ONCE, num_short - i), max(1, steps // SHORT)) for i in starts]
    return (*short, Batch(num_long * LONG_SEEDS, steps))


def promoted(found: Sequence[Found], num: int) -> list[Found]:
    """Who goes on: the best of each kind, up to half of the places, then the best of the rest; no init twice.

    A short trial favours a fast beginning, and the best few are often one start with small changes.
    """
    best = best_of(found)
    leaders = _first_of_kinds(best)[: num // 2]
    rest = [one for one in best if one not in leaders]
    return leaders + rest[: num - len(leaders)]


def best_of(found: Sequence[Found]) -> list[Found]:
    """Those that did not fail, best in short trials first, no init twice."""
    best: dict[str, Found] = {}
    for one in sorted(found, key=lambda one: one.short):
        best.setdefault(digest(dict(one.init)), one)
    return [one for one in best.values() if math.isfinite(one.short)]


def unlike(found: Sequence[Found], num: int) -> list[Found]:
    """So many of the best, of different kinds as far as there are some."""
    leaders = _first_of_kinds(found)
    return (leaders + [one for one in found if one not in leaders])[:num]


def _first_of_kinds(found: Sequence[Found]) -> list[Found]:
    """The first candidate of each base and method."""
    kinds: dict[tuple[object, object], Found] = {}
    for one in found:
        kinds.setdefault((one.candidate["base"], one.candidate.get("method")), one)
    return list(kinds.values())


def _sampled(
    space: Space, short: TrialSpec, runner: Runner, num: int, seed: int, shown: Path | None, told: Told
) -> list[Found]:
    """Short trials of what theory and the sampler propose."""
    optuna = optuna_module()
    found: list[Found] = []
    with _quiet(optuna):
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
        )
        for dials in space.first():
            study.enqueue_trial(dials)
        mirror = Mirror(optuna, shown, _name(short, seed, num))
        while len(found) < num:
            asked = [study.ask() for _ in range(min(ASKED_AT_ONCE, num - len(found)))]
            candidates = [space.ask(trial) for trial in asked]
            specs = [_trial(space, short, one) for one in candidates]
            for trial, spec in zip(asked, specs, strict=True):
                trial.set_user_attr("key in the store", spec.key)
            told(Stage("short trials", num, num - len(found), specs, tuple(found)))
            for trial, one, loss in zip(asked, candidates, _losses(specs, runner), strict=True):
                if loss is None:
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                    found.append(Found(one, space.init(one), float("inf")))
                else:
                    study.tell(trial, loss)
                    found.append(Found(one, space.init(one), loss))
            mirror.write(study)
    return found


def _name(short: TrialSpec, seed: int, num: int) -> str:
    """What people know the search by, and a digest of all that it depends on."""
    model = replace(short, model=short.model.rpartition("/")[2]).model_text
    return f"{model[:100]} {short.task['kind']} {digest([short.to_data(), seed, num])[:8]}"


def _lengthened(chosen: Sequence[Found], base: TrialSpec, runner: Runner, told: Told) -> Iterator[Found]:
    """The same candidates with the mean loss of full trials; those that failed are left out."""
    seeds = [FIRST_SEED + 1 + i for i in range(LONG_SEEDS)]
    specs = [
        replace(base, init=one.init, lr=one.candidate["lr"], seed=seed) for one in chosen for seed in seeds
    ]
    told(Stage("trials of full length", len(specs), len(specs), specs, chosen))
    losses = _losses(specs, runner)
    for i, one in enumerate(chosen):
        some = losses[LONG_SEEDS * i : LONG_SEEDS * (i + 1)]
        if None not in some:
            yield replace(one, long=sum(loss for loss in some if loss is not None) / LONG_SEEDS)


def _trial(space: Space, short: TrialSpec, candidate: Candidate) -> TrialSpec:
    return replace(short, init=space.init(candidate), lr=candidate["lr"])


def _losses(specs: Sequence[TrialSpec], runner: Runner) -> list[float | None]:
    """The loss of every trial, under the task's ceiling also where it diverged; None for one that failed."""
    ended = runner.run(specs)
    results = [ended[spec.key].result for spec in specs]
    return [None if result is None else result.area for result in results]


@contextmanager
def _quiet(optuna: ModuleType) -> Iterator[None]:
    """Optuna's own lines would run into ours; the samplers used here are called experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
