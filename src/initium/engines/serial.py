"""One job after the other, in this process."""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self

from initium.engines.engine import Job, Limits, Outcome, Work, plain
from initium.engines.perform import outcome_of, perform
from initium.engines.reference import name_of
from initium.errors import UsageError


class SerialEngine:
    """Runs each job when its outcome is waited for.

    Args:
        limits: must be empty: a process cannot end a job of its own.
    """

    name = "serial"
    num_workers = 1

    def __init__(self, *, limits: Limits | None = None) -> None:
        if limits and (limits.seconds or limits.memory_gb):
            raise UsageError(
                "the serial engine was given a limit of time or memory",
                expected="no limits: a process cannot end its own job",
                remedy='use engine="processes"',
            )
        self._waiting: deque[tuple[str, Job, str]] = deque()

    @property
    def num_open(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    def submit(self, work: Work, job: Job) -> None:
        """Takes a job; see `Engine.submit`."""
        self._waiting.append((name_of(work), job, plain(job.data, f"job {job.key!r}")))

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """Runs the next job to its end; see `Engine.wait`."""
        del seconds  # the job runs here: it is over when this returns
        if not self._waiting:
            return None
        reference, job, text = self._waiting.popleft()
        return outcome_of(job.key, perform(reference, text), attempts=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.clear()
