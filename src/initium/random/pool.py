"""Threads that share a list of small jobs: the kernel lets go of the interpreter lock while it works."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

Job = Callable[[], object]

_pool: ThreadPoolExecutor | None = None
_size = 0


def run(jobs: Iterable[Job], num_threads: int) -> None:
    """Do all jobs, in any order, the calling thread among the workers."""
    waiting = deque(jobs)
    helpers = min(num_threads, len(waiting)) - 1
    if helpers < 1:
        _drain(waiting)
        return
    pool = _threads(helpers)
    busy = [pool.submit(_drain, waiting) for _ in range(helpers)]
    try:
        _drain(waiting)
    finally:
        waiting.clear()
        for future in busy:
            future.result()


def _drain(waiting: deque[Job]) -> None:
    while True:
        try:
            job = waiting.popleft()
        except IndexError:
            return
        job()


def _threads(helpers: int) -> ThreadPoolExecutor:
    global _pool, _size
    if _pool is None or helpers > _size:
        # A smaller pool that another thread may be using ends by itself once nothing refers to it.
        _pool, _size = ThreadPoolExecutor(helpers, thread_name_prefix="initium-fill"), helpers
    return _pool


def _forget() -> None:
    global _pool  # noqa: PLW0603
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
