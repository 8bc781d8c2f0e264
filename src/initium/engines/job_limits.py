"""Limits that a worker keeps by itself, where no controller on its machine can: it interrupts its own job."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from initium.engines.engine import Cause
from initium.engines.perform import Exceeded

LOOK_EVERY = 0.1
"""Seconds between two looks at time and memory, when they are limited."""
INTERRUPTION_GRACE = 10.0
"""Seconds that a job may go on after it was interrupted (in a long call of compiled code) before its process ends."""
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@contextmanager
def limited(seconds: float | None, memory_gb: float | None) -> Iterator[None]:
    """Raises `Exceeded` in the block, which the main thread must run, when this process goes past a limit."""
    if seconds is None and memory_gb is None:
        yield
        return
    watch = _Watch(seconds, memory_gb)
    before = signal.signal(signal.SIGALRM, watch.interrupt)
    try:
        watch.start()
        yield
    finally:
        watch.ended.set()
        watch.join()  # first, so that no signal comes to the handler before
        signal.signal(signal.SIGALRM, before)
        if watch.over is not None:
            gc.collect()  # the next job of this process begins with what this one leaves


class _Watch(threading.Thread):
    def __init__(self, seconds: float | None, memory_gb: float | None) -> None:
        super().__init__(daemon=True)
        self.seconds, self.memory_gb = seconds, memory_gb
        self.main, self.ended = threading.get_ident(), threading.Event()
        self.over: tuple[Cause, str] | None = None

    def run(self) -> None:
        """Looks until the block ends, and ends the process if the job does not heed the interruption."""
        begin, told = time.monotonic(), 0.0
        while not self.ended.wait(LOOK_EVERY):
            now = time.monotonic()
            if self.over is None:
                self.over = over_limit(now - begin, os.getpid(), self.seconds, self.memory_gb)
                if self.over is not None:
                    told = now
                    signal.pthread_kill(self.main, signal.SIGALRM)
            elif now - told > INTERRUPTION_GRACE:
                os._exit(1)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Handles the signal, in the main thread."""
        del number, frame
        if self.over is not None and not self.ended.is_set():
            raise Exceeded(*self.over)


def over_limit(
    ran: float, pid: int, seconds: float | None, memory_gb: float | None
) -> tuple[Cause, str] | None:
    """The limit that a process which ran so long is past, and what was seen; None if it is within."""
    if seconds is not None and ran > seconds:
        return "time", f"ran longer than {seconds:g} s"
    if memory_gb is not None:
        used = resident_gb(pid)
        if used > memory_gb:
            return "memory", f"used {used:.2f} GB, more than {memory_gb:g}"
    return None


def resident_gb(pid: int) -> float:
    """Resident memory of a process in GB; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e9
    except (OSError, IndexError):
        return 0.0
