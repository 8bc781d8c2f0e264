"""The life of a worker process: one job, then the end."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process

from initium.engines.perform import MARK, perform


def child(reference: str, text: str, pipe: Connection) -> None:
    """The whole life of a worker process: one job."""
    print_aside()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the controller's; it ends its workers itself
    os.environ[MARK] = "1"
    threading.Thread(target=_die_with_parent, daemon=True).start()
    pipe.send_bytes(perform(reference, text).encode())
    pipe.close()


def print_aside() -> None:
    """Sends what this process prints to standard error: the controller's standard output is for its results."""
    os.dup2(2, 1)


def _die_with_parent() -> None:
    """Ends this process when the controller is gone, however it went: nobody would take the result."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
