"""One process a job, forked from a server that has torch loaded: a job that dies takes nothing with it."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from initium.engines.engine import Cause, Failed, Job, Limits, Outcome, Work, plain, usable_cores
from initium.engines.job_limits import LOOK_EVERY, over_limit
from initium.engines.perform import outcome_of, refuse_in_worker
from initium.engines.processes.libraries import libraries_of
from initium.engines.processes.preload import asking
from initium.engines.processes.worker import child
from initium.engines.reference import name_of
from initium.errors import EngineError, UsageError

END_GRACE = 5.0
"""Seconds that a process has to end after it sent its result."""
SERVER_DIED = (EOFError, ConnectionError)
"""What multiprocessing raises when the server ends instead of forking."""
GONE_AFTER = 1.0
"""Seconds after which a server that closed its connections has ended, so that multiprocessing starts another."""
PRELOADED = ("torch", "torch._dynamo", "initium.engines.processes.worker", "initium.engines.processes.server")
"""Modules that the server loads for all workers; torch would load the second one, in seconds, at their first steps."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    reference: str
    job: Job
    text: str
    attempts: int = 0


@dataclass(frozen=True, eq=False)
class _Running:
    task: _Waiting
    process: Any
    pipe: Connection
    start: float


class ProcessEngine:
    """Runs every job in a process of its own, `num_workers` at a time.

    A process that dies without a word (out of memory, SIGKILL, a crash in compiled code) is tried again when nothing
    else runs, so that it has the machine to itself.

    Args:
        num_workers: processes at a time; the number of cores this process may use where it is None.
        limits: time and memory of one job, and how often one whose process died is started.
    """

    name = "processes"

    def __init__(self, num_workers: int | None = None, *, limits: Limits | None = None) -> None:
        self.num_workers = num_workers or usable_cores()
        self.limits = limits or Limits()
        _check(self.num_workers, self.limits)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))
        self._modules = frozenset[str]()
        self._waiting: deque[_Waiting] = deque()
        self._alone: deque[_Waiting] = deque()
        self._running: list[_Running] = []
        self._finished: deque[Outcome] = deque()

    @property
    def num_open(self) -> int:
        """How many jobs wait, run, or have an outcome that was not handed out."""
        return len(self._waiting) + len(self._alone) + len(self._running) + len(self._finished)

    def submit(self, work: Work, job: Job) -> None:
        """Takes a job and starts it if a worker is free; see `Engine.submit`."""
        reference = name_of(work)
        self._modules |= libraries_of(job.functions) | _importable(reference)
        self._waiting.append(_Waiting(reference, job, plain(job.data, f"job {job.key!r}")))
        self._fill()

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """The next outcome; see `Engine.wait`."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self._finished and self.num_open:
            self._fill()
            left = None if until is None else max(0.0, until - time.monotonic())
            self._look(left)
            if until is not None and time.monotonic() >= until:
                break
        return self._finished.popleft() if self._finished else None

    def _fill(self) -> None:
        """Starts what may start: many at a time, or one that must be alone."""
        while self._waiting and len(self._running) < self.num_workers and not self._is_alone():
            self._start(self._waiting.popleft())
        if self._alone and not self._running:
            self._start(self._alone.popleft())

    def _is_alone(self) -> bool:
        """Whether a job runs that died before, so that nothing may run beside it."""
        return any(one.task.attempts > 0 for one in self._running)

    def _start(self, task: _Waiting) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._forked((task.reference, task.text, theirs))
        theirs.close()
        self._running.append(_Running(task, process, ours, time.monotonic()))

    def _forked(self, arguments: tuple[str, str, Connection]) -> Any:
        """A new worker; if the server dies while it loads modules, from a new server that loads none."""
        try:
            return self._fork(arguments)
        except SERVER_DIED:
            loading = ", ".join(sorted(self._modules))
            warnings.warn(
                f"the server that workers are forked from ended, perhaps while it loaded {loading}: a new one is "
                "started, and every worker loads by itself what its functions need",
                stacklevel=2,
            )
        self._modules = frozenset()
        time.sleep(GONE_AFTER)
        try:
            return self._fork(arguments)
        except SERVER_DIED as error:
            raise EngineError(
                "the server that workers are forked from ended at once, twice",
                expected="a Python process that can import torch and initium",
                remedy='see what it printed above, and whether memory is left; or use engine="serial"',
            ) from error

    def _fork(self, arguments: tuple[str, str, Connection]) -> Any:
        process = self._context.Process(target=child, args=arguments, daemon=True)
        with _without_main(), asking(self._modules):
            process.start()
        return process

    def _look(self, seconds: float | None) -> None:
        """Waits until something happens, or for `seconds`, and takes in what happened."""
        limited = self.limits.seconds is not None or self.limits.memory_gb is not None
        patience = LOOK_EVERY if limited and (seconds is None or seconds > LOOK_EVERY) else seconds
        handles = [handle for one in self._running for handle in (one.pipe, one.process.sentinel)]
        ready = set(wait(handles, timeout=patience))
        for one in list(self._running):
            if one.pipe in ready or one.process.sentinel in ready:
                self._finish(one)
            elif (over := self._over(one)) is not None:
                self._end(one, grace=0.0)
                self._finished.append(Failed(one.task.job.key, *over, one.task.attempts + 1))

    def _over(self, one: _Running) -> tuple[Cause, str] | None:
        ran = time.monotonic() - one.start
        return over_limit(ran, one.process.pid, self.limits.seconds, self.limits.memory_gb)

    def _finish(self, one: _Running) -> None:
        """Takes the result of a process that sent one, or finds that it died."""
        attempts = one.task.attempts + 1
        told = _received(one.pipe)
        code = self._end(one, grace=END_GRACE)
        if told is None:
            self._died(one.task, code, attempts)
        else:
            self._finished.append(outcome_of(one.task.job.key, told, attempts=attempts))

    def _died(self, task: _Waiting, code: int | None, attempts: int) -> None:
        if attempts < self.limits.attempts:
            self._alone.append(_Waiting(task.reference, task.job, task.text, attempts))
            return
        message = f"its process ended {_ending(code)}, {attempts} times, the last time with nothing beside it"
        self._finished.append(Failed(task.job.key, "killed", message, attempts))

    def _end(self, one: _Running, *, grace: float) -> int | None:
        """Sees the process off: it may take `grace` seconds to end by itself. Returns its exit code."""
        self._running.remove(one)
        one.process.join(grace)
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        code: int | None = one.process.exitcode
        one.process.close()
        one.pipe.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in list(self._running):
            self._end(one, grace=0.0)
        self._waiting.clear()
        self._alone.clear()
        self._finished.clear()


def _check(num_workers: int, limits: Limits) -> None:
    if num_workers < 1:
        raise UsageError(
            f"num_workers is {num_workers}", expected="at least 1", remedy="leave it out for all cores"
        )
    refuse_in_worker()
    if limits.memory_gb is not None and not Path("/proc/self/statm").exists():
        raise UsageError(
            "a limit of memory needs /proc, which this system does not have",
            expected="Linux, or no limit of memory",
            remedy="leave memory_gb out",
        )


def _importable(reference: str) -> frozenset[str]:
    """The module of a reference, to be loaded once for all workers; scripts are loaded by each worker."""
    where = reference.rpartition(":")[0]
    return frozenset() if where.endswith(".py") else frozenset([where])


def _received(pipe: Connection) -> str | None:
    """What a worker sent; None if it died without a word, or in the middle of one."""
    try:
        return pipe.recv_bytes().decode() if pipe.poll() else None
    except (EOFError, OSError):
        return None


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by signal {-code} ({signal.Signals(-code).name})"
    return f"with code {code}"


@contextmanager
def _without_main() -> Iterator[None]:
    """Hides the running script from multiprocessing, which would run it again in every worker.

    What workers need of it they load by reference, under another name than `__main__`.
    """
    main = sys.modules["__main__"]
    empty = ModuleType("__main__")
    empty.__spec__ = None
    sys.modules["__main__"] = empty
    try:
        yield
    finally:
        sys.modules["__main__"] = main
