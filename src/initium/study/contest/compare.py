"""`compare`: which init is best for a model and a task, each at its own best learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, overload

from initium.engines import ENGINES, Engine, Limits, checked, find_engine, open_engine
from initium.errors import UsageError
from initium.study.contest.comparison import Comparison
from initium.study.contest.conduct import Conduct
from initium.study.contest.cost import Cost, measured
from initium.study.contest.design import SEEDS, Design
from initium.study.contest.progress import Progress
from initium.study.contest.race import CONFIRM
from initium.study.contest.request import INITS, Inits, Maker, TaskLike, design_of
from initium.study.contest.statistics import special_functions
from initium.study.run.runner import Ended, Runner, Watch
from initium.study.run.store import Store
from initium.study.trial.preflight import check_trials

KIND, SEARCH = "compare", "tune"
"""The kinds of studies in a store: comparisons, and searches that have not come to theirs."""


@overload
def compare(
    make_model: Maker, task: TaskLike = ..., *, dry_run: Literal[False] = ..., **options: Any
) -> Comparison: ...
@overload
def compare(make_model: Maker, task: TaskLike = ..., *, dry_run: Literal[True], **options: Any) -> Cost: ...
def compare(  # type: ignore[misc] # the overloads leave out the options that both share
    make_model: Maker,
    task: TaskLike = "classification",
    *,
    inits: Inits = INITS,
    seeds: int = SEEDS,
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
    fresh: bool = False,
    progress: bool | Watch = True,
    dry_run: bool = False,
) -> Comparison | Cost:
    """Trains a model from several inits and says which is best, and where the difference is none.

    Every init is tried at every learning rate on two seeds and keeps its best one; the race goes on seed by seed and
    stops those that are clearly behind; those that are left, at least two, are compared on fresh seeds. One that is
    beaten there is run also at the rates that two seeds did not tell from its best one, and at the victor's: it must
    be beaten at all of them. All inits of one seed see the same data in the same order and, where their methods
    allow, the same draws.

    Args:
        make_model: a standard model's name ("cnn20-relu"), a function at the top level of a module or script that
            makes a new model, or its reference ("package.module:make").
        task: "classification", "detection" or "segmentation" (real pixels that come with the library), the path of
            your own data, what `open_task` takes, or a `Task`.
        inits: policies and methods by name ("auto", "lsuv", "he_normal", "shipped"), plans, functions
            (model, probe, seed) that change a model in place; or a mapping of labels to them.
        seeds: of screening and race.
        lrs: the grid, the same for every init; three usual ones of the optimizer where it is None.
        steps: updates of one trial; 150, or 250 for detection, where it is None.
        batch_size: samples of one step; 128, or 16 for detection and segmentation, where it is None.
        optimizer: "adamw" or "sgd".
        confirm: fresh seeds for the finalists.
        model_args: keyword arguments of `make_model`.
        threads: of torch in every trial.
        engine: "processes", "serial", "ray", or an engine; see `initium.engines`.
        workers: trials at a time; all cores where it is None.
        address: of a running Ray cluster, for `engine="ray"`; the current directory is sent to it.
        store: file that keeps every result, so that a study that was ended goes on where it was; None keeps nothing. A
            `Store` that is open must not lie in the directory that an engine sends to a cluster.
        fresh: runs again what the store has.
        progress: whether to show it, or who is told of it.
        dry_run: measures a few steps and returns what the study would cost, instead of running it.

    Raises:
        UsageError, UsageTypeError: an init, model, task or value cannot be used; found before the first trial.
        StoreError: the store cannot be used; finished trials are kept.
        TrialError: trials of every init failed.

    Example:
        >>> import initium
        >>> found = initium.compare("mlp4-relu", inits=["auto", "zeros"], lrs=[1e-3], steps=20, seeds=3, confirm=3,
        ...                         engine="serial", progress=False)
        >>> found.decision.winner
        'auto'
    """
    design = design_of(
        make_model, task, inits=inits, lrs=lrs, seeds=seeds, confirm=confirm, model_args=model_args, steps=steps,
        batch_size=batch_size, optimizer=optimizer, threads=threads,
    )  # fmt: skip
    special_functions()  # missing, it should be missed now, and not after the last trial
    opened = opened_engine(engine, workers, address)
    if dry_run:
        with opened:
            check_trials(design.base, design.inits, opened)
            return measured(design, workers=opened.num_workers)
    with ExitStack() as stack:
        kept = entered(stack, opened, store)
        watch = (
            progress
            if not isinstance(progress, bool)
            else Progress.of(design, opened.num_workers)
            if progress
            else None
        )
        check_trials(design.base, design.inits, opened)
        if fresh:
            _forget(design, kept)
        kept.put_study(design.key, KIND, design.to_data())
        conduct = conducted(design, Runner(opened, kept, watch=watch))
    return Comparison.of(conduct)


def conducted(design: Design, runner: Runner) -> Conduct:
    """Runs a comparison to its end."""
    conduct = Conduct(design)
    for due in conduct.phases():
        specs = {cell: conduct.spec(cell) for cell in due.cells}
        runner.watch.begin(due.phase, list(specs.values()), due.most)
        ended = runner.run(specs.values())
        conduct.take({cell: ended[spec.key] for cell, spec in specs.items()})
    return conduct


def replayed(design: Design, store: Store) -> Conduct:
    """A comparison as far as the results in a store go; it may be under way."""
    conduct = Conduct(design)
    failures = store.failures()
    for due in conduct.phases():
        specs = {cell: conduct.spec(cell) for cell in due.cells}
        results = store.results(spec.key for spec in specs.values())
        ended = {
            cell: Ended(spec, results.get(spec.key), failures.get(spec.key), kept=True)
            for cell, spec in specs.items()
            if spec.key in results or spec.key in failures
        }
        conduct.take(ended)
        if len(ended) < len(specs):
            break
    return conduct


def opened_engine(
    engine: str | Engine, workers: int | None, address: str | None, limits: Limits | None = None
) -> Engine:
    """The engine that a user's arguments name."""
    takes = find_engine(engine).takes if isinstance(engine, str) else ()
    if address is not None and "address" not in takes:
        able = [kind.name for kind in ENGINES if "address" in kind.takes]
        raise UsageError(
            f"the address {address} was given for the engine {engine!r}",
            expected=" or ".join(f'engine="{name}"' for name in able),
            remedy=f"leave the address out, or ask for {' or '.join(able)}",
        )
    if not isinstance(engine, str):
        return checked(engine)
    if workers not in (None, 1) and "num_workers" not in takes:
        raise UsageError(
            f"{workers} workers on the {engine} engine",
            expected="one",
            remedy='leave workers out, or use engine="processes"',
        )
    if limits is not None and "limits" not in takes:
        raise UsageError(
            f"a limit of time or memory on the {engine} engine",
            expected="no limit: it cannot end a trial",
            remedy='use engine="processes"',
        )
    options = {"num_workers": workers, "limits": limits, "address": address}
    if address is not None:
        options["working_dir"] = str(Path.cwd())
    given = {key: value for key, value in options.items() if value is not None and key in takes}
    return open_engine(engine, **given)


def entered(stack: ExitStack, engine: Engine, store: str | Path | Store | None) -> Store:
    """Enters the engine, then opens the store.

    An engine may pack the files of a directory when it is entered; reading a store that is open ends its locks.
    """
    if isinstance(store, Store):
        stack.enter_context(engine)
        return store
    Store(store).close()  # what is wrong with it is told before a cluster is joined
    stack.enter_context(engine)
    return stack.enter_context(Store(store))


def _forget(design: Design, store: Store) -> None:
    seeds = range(design.seeds + design.confirm)
    store.forget(
        design.spec(label, lr, seed).key for label in design.inits for lr in design.lrs for seed in seeds
    )
