"""An engine as somebody else would write it: each job in a thread of its own."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, Self

from initium.engines import Job, Outcome, Work, name_of
from initium.engines.engine import plain
from initium.engines.perform import outcome_of, perform


class ThreadEngine:
    """Two threads of this process."""

    name = "threads"

    def __init__(self, num_workers: int = 2) -> None:
        self.num_workers = num_workers
        self._pool = ThreadPoolExecutor(num_workers)
        self._open: deque[tuple[str, Future[Any]]] = deque()

    @property
    def num_open(self) -> int:
        return len(self._open)

    def submit(self, work: Work, job: Job) -> None:
        reference, text = name_of(work), plain(job.data, f"job {job.key!r}")
        self._open.append((job.key, self._pool.submit(perform, reference, text)))

    def wait(self, seconds: float | None = None) -> Outcome | None:
        if not self._open:
            return None
        done, _ = wait([future for _, future in self._open], seconds, return_when="FIRST_COMPLETED")
        for key, future in list(self._open):
            if future in done:
                self._open.remove((key, future))
                return outcome_of(key, future.result(), attempts=1)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
