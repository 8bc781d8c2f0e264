"""`tune`: searches for a start that is better than the known ones, and proves it or says that there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

from initium.codec import to_data
from initium.engines import Engine
from initium.errors import UsageError
from initium.plan import Plan
from initium.study.contest.compare import KIND, SEARCH, conducted, entered, opened_engine
from initium.study.contest.comparison import Comparison
from initium.study.contest.cost import Cost, measured
from initium.study.contest.design import Design
from initium.study.contest.progress import Progress
from initium.study.contest.race import CONFIRM
from initium.study.contest.request import Maker, TaskLike, design_of
from initium.study.run.runner import Ended, Runner, Silent, Watch
from initium.study.run.store import Store
from initium.study.search.search import Found, Stage, batches, optuna_module, search, unlike
from initium.study.search.search_state import Searching
from initium.study.search.space import SEARCHED_BASES, base_of, space_of
from initium.study.search.tuning import BASELINES, Tuning
from initium.study.trial.inits import plan_for
from initium.study.trial.preflight import check_trials
from initium.study.trial.spec import TrialSpec, digest
from initium.study.trial.trial import PROBED, build, opened_of, surroundings

BUDGET = 160
RACED = 3
"""Seeds of the screening and race that end a search."""
MOST_FOUND = 2
"""Candidates of the search that are compared with the baselines."""
LEAST_SEARCH = 16


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

    Example:
        >>> import initium
        >>> cost = initium.tune("mlp4-relu", budget=150, engine="serial", dry_run=True)
        >>> cost.fewest, cost.most  # trials, most of them short
        (144, 208)

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
    watch = _Counting()
    with ExitStack() as stack:
        kept = entered(stack, running, store)
        check_trials(design.base, design.inits, running)
        runner = Runner(running, kept, watch=watch)
        bars = _search_progress(running.num_workers) if progress else None
        with watch.shown(bars):
            found = _searched(design, runner, trials=trials, seed=seed)
        last = replace(design, inits=_compared(design, found))
        kept.put_study(last.key, KIND, last.to_data())
        bars = Progress.of(last, running.num_workers) if progress else None
        with watch.shown(bars):
            comparison = Comparison.of(conducted(last, runner))
    chosen = choice(comparison)
    plan = _plan(last.inits[chosen], design.base)
    return Tuning(plan, chosen, last.inits, found, comparison, budget, watch.num, time.monotonic() - begin)


def _searched(design: Design, runner: Runner, *, trials: int, seed: int) -> tuple[Found, ...]:
    """Runs the search; the store keeps where it is, for `report` and for Optuna's dashboard."""
    base, store = design.base, runner.store
    task = opened_of(base)
    with surroundings(base.threads):
        space = space_of(lambda: build(base, task), task.probe(PROBED, seed=base.seed), design.lrs)
    key = digest([design.to_data(), trials, seed])

    def told(stage: Stage) -> None:
        store.put_study(key, SEARCH, to_data(Searching.of(base, stage)))
        runner.watch.begin(f"search, {stage.name}", stage.due, stage.left)

    shown = None if store.path is None else store.path.with_name(f"{store.path.name}.optuna.db")
    return search(space, base, runner, trials=trials, seed=seed, shown=shown, told=told)


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


def _plan(init: Mapping[str, Any], base: TrialSpec) -> Plan:
    task = opened_of(base)
    with surroundings(base.threads):
        return plan_for(build(base, task), init, task.probe(PROBED, seed=base.seed), seed=base.seed)


def _search_progress(workers: int) -> Progress:
    """What is shown of the search: a row for each policy, and one for starts with a gain per role."""
    return Progress(
        SEARCHED_BASES,
        lambda spec: base_of(spec.init),
        workers,
        part=" of this stage",
        idle="not in this batch",
    )


class _Counting:
    """A watch that counts trials, and hands on what it is told to the one that shows it."""

    def __init__(self) -> None:
        self.inner: Watch = Silent()
        self.num = 0

    @contextmanager
    def shown(self, progress: Progress | None) -> Iterator[None]:
        """Hands everything on to `progress` meanwhile, if there is one."""
        with progress or nullcontext():
            self.inner = progress or Silent()
            yield

    def begin(self, phase: str, specs: Sequence[TrialSpec], most: int) -> None:
        """See `Watch.begin`."""
        self.inner.begin(phase, specs, most)

    def ended(self, one: Ended) -> None:
        """See `Watch.ended`."""
        self.num += 1
        self.inner.ended(one)
