"""What an engine is: it runs jobs somewhere and hands back what became of each, as they finish."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

from initium.errors import ContractError, UsageTypeError
from initium.signatures import misfit

Work = Callable[[dict[str, Any]], dict[str, Any]]
"""A function of a module, from plain data to plain data; the same for all jobs of one run."""
Plain = Mapping[str, Any]
Cause = Literal["error", "killed", "memory", "time", "stopped"]


@dataclass(frozen=True)
class Job:
    """One thing to do.

    Args:
        key: names it in its outcome; different for every job of a run.
        data: what the function is given: JSON values only.
        functions: references of others that it will call; an engine may load what they need once for all jobs.
    """

    key: str
    data: Plain
    functions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Done:
    """A job that returned.

    Args:
        key: of the job.
        result: what the function returned.
        seconds: how long it ran.
        attempts: how often it was started.
    """

    key: str
    result: dict[str, Any]
    seconds: float
    attempts: int = 1


@dataclass(frozen=True)
class Failed:
    """A job that did not return.

    Args:
        key: of the job.
        cause: "error" (it raised), "killed" (its process died, also alone), "memory" or "time" (past a limit),
            "stopped" (the run was closed first).
        message: what it raised, or what was seen.
        attempts: how often it was started.
    """

    key: str
    cause: Cause
    message: str
    attempts: int = 1


Outcome = Done | Failed


@dataclass(frozen=True)
class Limits:
    """What one job may take.

    Args:
        seconds: wall time; None is no limit.
        memory_gb: resident memory of its process in GB; None is no limit.
        attempts: how often a job whose process died is started.
    """

    seconds: float | None = None
    memory_gb: float | None = None
    attempts: int = 3


class Engine(Protocol):
    """Runs jobs. Used as a context manager: leaving it ends everything that still runs.

    A controller submits jobs while there is room and waits for outcomes, so that it can decide on the next job when it
    has seen the last outcome. A job that raises is an outcome, not an exception.
    """

    @property
    def name(self) -> str:
        """Which one it is: "serial", "processes" or "ray"."""
        ...

    @property
    def num_workers(self) -> int:
        """How many jobs run at a time."""
        ...

    @property
    def num_open(self) -> int:
        """How many jobs were submitted whose outcome `wait` has not handed out yet."""
        ...

    def submit(self, work: Work, job: Job) -> None:
        """Takes a job; it starts at once if a worker is free, else as soon as one is.

        Raises:
            UsageTypeError: the job's data are not plain.
            UsageError: the function cannot be imported by a worker.
        """
        ...

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """The next outcome, in the order that jobs finish; None if none is open, or none came within `seconds`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True)
class EngineKind:
    """An engine that users name.

    Args:
        name: as they name it; the engine's own `name`.
        open: makes it; called with those options of a study that are given.
        takes: the options that it can follow, of `num_workers`, `limits`, and `address` with `working_dir`.
    """

    name: str
    open: Callable[..., Engine]
    takes: tuple[str, ...] = ()


def run(engine: Engine, work: Work, jobs: Iterable[Job]) -> Iterator[Outcome]:
    """The outcomes of all jobs, as they finish; the next job is taken from the iterable when there is room for it.

    Raises:
        ContractError: an engine without workers, or whose `wait` returns something else than an outcome.

    Example:
        >>> from initium.engines import Job, open_engine, run
        >>> from initium.testing.engines import double
        >>> with open_engine("serial") as engine:
        ...     [done.result for done in run(engine, double, [Job("a", {"x": 1}), Job("b", {"x": 2})])]
        [{'x': 2}, {'x': 4}]
    """
    source = iter(jobs)
    ended = False
    if not engine.num_workers >= 1:
        raise broken(engine, f"its num_workers is {engine.num_workers!r}")
    while True:
        while not ended and engine.num_open < engine.num_workers:
            job = next(source, None)
            if job is None:
                ended = True
            else:
                engine.submit(work, job)
        outcome: object = engine.wait()
        if isinstance(outcome, Outcome):
            yield outcome
        elif outcome is not None:
            raise broken(engine, f"its `wait` returned a {type(outcome).__name__}")
        elif ended:
            return


ENGINE_CONTRACT = (
    "an initium.engines.Engine: a `name`, `num_workers` of at least 1, `num_open`, `submit(work, job)`, "
    "`wait(seconds=None)` that returns Done, Failed or None, and the two methods of a context manager"
)
METHODS: tuple[tuple[str, int], ...] = (
    ("submit", 2), ("wait", 0), ("wait", 1), ("__enter__", 0), ("__exit__", 3),
)  # fmt: skip
"""Methods of an engine, and the numbers of arguments that they are called with."""


def checked(engine: object) -> Engine:
    """The engine itself, once it is known to be one; nothing is started.

    Raises:
        ContractError: it is none.
    """
    if isinstance(engine, type):
        raise broken(engine, "it is a class, not an object of it")
    if not isinstance(getattr(engine, "name", None), str):
        raise broken(engine, "it has no text `name`")
    for name in ("num_workers", "num_open"):
        # Looked for, not asked: a cluster knows its workers only once it is entered.
        if inspect.getattr_static(engine, name, None) is None:
            raise broken(engine, f"it has no `{name}`")
    for name, num in METHODS:
        wrong = misfit(getattr(engine, name, None), *range(num))
        if wrong:
            raise broken(engine, f"it has no `{name}` of {num} arguments ({wrong})")
    return cast(Engine, engine)


def broken(engine: object, wrong: str) -> ContractError:
    """The error for an engine that is none."""
    return ContractError(
        f"the engine {getattr(engine, 'name', engine)!r} ({type(engine).__name__}): {wrong}",
        expected=ENGINE_CONTRACT,
        remedy="see initium.engines.Engine; initium.testing.check_engine tells all that is wrong with one",
    )


def plain(data: Plain, what: str) -> str:
    """The data as JSON text, or an error that names what is not plain.

    Raises:
        UsageTypeError: something else than dicts, lists, strings, numbers, booleans and None.
    """
    try:
        text = json.dumps(data)
        if json.loads(text) != data:
            raise TypeError("it changes when it is written and read (tuples, or keys that are not strings)")
    except (TypeError, ValueError) as error:
        raise UsageTypeError(
            f"{what} is not plain data: {error}",
            expected="a dict of JSON values: dicts, lists, strings, numbers, booleans, None",
            remedy="pass names, numbers and paths, and make objects inside the function",
        ) from error
    return text


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
