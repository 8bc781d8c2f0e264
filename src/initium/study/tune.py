"""`tune`: searches for a start that is better than the known ones, and proves it or says that there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

from rich.console import Console

from initium.engines import Engine
from initium.errors import UsageError
from initium.plan import Plan
from initium.study.checks import check_trials
from initium.study.compare import KIND, conducted, opened_engine
from initium.study.comparison import Comparison
from initium.study.cost import Cost, measured
from initium.study.design import Design
from initium.study.progress import Progress
from initium.study.race import CONFIRM
from initium.study.request import Maker, TaskLike, design_of
from initium.study.runner import Ended, Runner, Silent, Watch
from initium.study.search import Found, batches, optuna_module, search, unlike
from initium.study.space import space_of
from initium.study.spec import TrialSpec
from initium.study.starts import plan_for
from initium.study.store import Store
from initium.study.tasks import Task
from initium.study.trial import PROBED, build, opened_of, surroundings
from initium.study.tuning import BASELINES, Tuning

BUDGET = 160
RACED = 3
"""Seeds of the screening and race that end a search."""
MOST_FOUND = 2
"""Candidates of the search that are compared with the baselines."""
LEAST_SEARCH = 16
TOLD_EVERY = 10.0
"""Seconds between two lines about the search."""


@overload
def tune(
    make_model: Maker, task: TaskLike = ..., *, dry_run: Literal[False] = ..., **options: Any
) -> Tuning: ...
@overload
def tune(make_model: Maker, task: TaskLike = ..., *, dry_run: Literal[True], **options: Any) -> Cost: ...
def tune(  # type: ignore[misc] # the overloads leave out the options that both share
    make_model: Maker,
    task: TaskLike = "classification",
    *,
    budget: int = BUDGET,
    lrs: Sequence[float] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    optimizer: str = "adamw",
    confirm: int = CONFIRM,
    model_args: Mapping[str, Any] | None = None,
    threads: int = 1,
    engine: str | Engine = "processes",
    workers: int | None = None,
    address: str | None = None,
    store: str | Path | Store | None = None,
    seed: int = 0,
    progress: bool = True,
    dry_run: bool = False,
) -> Tuning | Cost:
    """Searches over methods, gains by role, centring, biases and head, and compares the best with the baselines.

    The policies and the starts that theory proposes are tried first, at every learning rate; then Optuna's TPE
    proposes. Most trials are a quarter as long; one candidate in eight is run at full length on two seeds. The best
    two, of different kinds, are then compared with "auto" and "shipped" by the rule of `compare`, on seeds that the
    search never saw.

    Args:
        make_model: as for `compare`.
        task: as for `compare`.
        budget: what may be spent, in trials of full length, the comparison at the end included.
        lrs: learning rates; a dial of the search, and the grid of the comparison.
        steps: updates of a trial of full length; as for `compare`.
        batch_size: samples a step; as for `compare`.
        optimizer: "adamw" or "sgd".
        confirm: fresh seeds of the comparison.
        model_args: keyword arguments of `make_model`.
        threads: of torch in every trial.
        engine: "processes", "serial", "ray", or an engine.
        workers: trials at a time; all cores where it is None.
        address: of a running Ray cluster, for `engine="ray"`.
        store: file that keeps every result, so that a search that was ended goes on where it was. Beside it,
            FILE.optuna.db has the search for Optuna's dashboard.
        seed: of the sampler.
        progress: whether to show it.
        dry_run: measures a few steps and returns what the search would cost, instead of running it.

    Raises:
        MissingExtraError: optuna or scipy is not installed.
        UsageError, UsageTypeError: found before the first trial runs.
        StoreError: the store cannot be used; finished trials are kept.
        TrialError: trials of every init failed.

    Source: Bergstra et al. (2011), Algorithms for Hyper-Parameter Optimization, for TPE.
    """
    optuna_module()
    begin = time.monotonic()
    design = design_of(
        make_model, task, inits=BASELINES, lrs=lrs, seeds=RACED, confirm=confirm, model_args=model_args, steps=steps,
        batch_size=batch_size, optimizer=optimizer, threads=threads,
    )  # fmt: skip
    trials = budget - _full(design).most_trials
    _check_budget(budget, trials)
    running = opened_engine(engine, workers, address)
    if dry_run:
        with running:
            check_trials(design.base, design.inits, running)
            cost = measured(_full(design), workers=running.num_workers)
            return cost.after(batches(trials, design.base.steps))
    opened = opened_of(design.base)
    watch = _Counting(Console(stderr=True) if progress else None)
    with ExitStack() as stack:
        kept = store if isinstance(store, Store) else stack.enter_context(Store(store))
        stack.enter_context(running)
        check_trials(design.base, design.inits, running)
        runner = Runner(running, kept, watch=watch)
        with surroundings(design.base.threads):
            probe = opened.probe(PROBED, seed=design.base.seed)
            space = space_of(lambda: build(design.base, opened), probe, design.lrs)
        shown = None if kept.path is None else kept.path.with_name(f"{kept.path.name}.optuna.db")
        found = search(space, design.base, runner, trials=trials, seed=seed, shown=shown)
        last = replace(design, inits=_compared(design, found))
        kept.put_study(last.key, KIND, last.to_data())
        if progress:
            watch.inner = stack.enter_context(Progress(last, running.num_workers))
        comparison = Comparison.of(conducted(last, runner))
    chosen = choice(comparison)
    plan = _plan(last.inits[chosen], design.base, opened)
    return Tuning(plan, chosen, last.inits, found, comparison, budget, watch.num, time.monotonic() - begin)


def choice(comparison: Comparison) -> str:
    """The start to use: the winner; else, of those that nothing beat, a baseline before what was found."""
    if comparison.winner is not None:
        return comparison.winner
    best = comparison.decision.best or comparison.ranking[:1]
    return next((name for name in BASELINES if name in best), best[0])


def _full(design: Design) -> Design:
    """The comparison at its largest."""
    some = dict(design.inits)
    first = next(iter(some.values()))
    return replace(design, inits={**some, **{f"found {i + 1}": first for i in range(MOST_FOUND)}})


def _check_budget(budget: int, left: int) -> None:
    if left < LEAST_SEARCH:
        raise UsageError(
            f"a budget of {budget} trials",
            expected=f"{budget - left} for the comparison at the end, and {LEAST_SEARCH} or more for the search",
            remedy=f"give {budget - left + LEAST_SEARCH} or more, or fewer learning rates or fresh seeds",
        )


def _compared(design: Design, found: Sequence[Found]) -> dict[str, Mapping[str, Any]]:
    """The baselines, and the best candidates of different kinds that are none of them."""
    inits = dict(design.inits)
    new = unlike([one for one in found if one.init not in inits.values()], MOST_FOUND)
    return {**inits, **{f"found {i}": one.init for i, one in enumerate(new, 1)}}


def _plan(init: Mapping[str, Any], base: TrialSpec, task: Task) -> Plan:
    with surroundings(base.threads):
        return plan_for(build(base, task), init, task.probe(PROBED, seed=base.seed), seed=base.seed)


class _Counting:
    """A watch that counts trials and tells the best loss of the search now and then; the comparison has its own."""

    def __init__(self, console: Console | None) -> None:
        self.console = console
        self.inner: Watch = Silent()
        self.num, self.best, self.told = 0, math.inf, time.monotonic()

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """See `Watch.begin`."""
        self.inner.begin(phase, specs, most)

    def ended(self, one: Ended) -> None:
        """See `Watch.ended`."""
        self.num += 1
        if not isinstance(self.inner, Silent):
            self.inner.ended(one)
            return
        if one.result is not None:
            self.best = min(self.best, one.result.area)
        if self.console is not None and time.monotonic() - self.told > TOLD_EVERY:
            self.told = time.monotonic()
            self.console.print(
                f"search: {self.num} trials, lowest mean loss {self.best:.3f}", highlight=False
            )
