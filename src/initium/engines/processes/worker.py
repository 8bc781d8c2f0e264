"""What happens in a worker: find the function, call it, send back plain data."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import traceback
from contextlib import AbstractContextManager, nullcontext
from multiprocessing.connection import Connection, wait
from multiprocessing.process import parent_process
from typing import Any

from initium.engines.engine import plain
from initium.engines.processes.watch import Exceeded
from initium.engines.reference import function_of
from initium.errors import UsageError

MARK = "INITIUM_WORKER"
"""Set in the environment of a worker, where no further workers may be started."""


def perform(reference: str, text: str, within: AbstractContextManager[None] | None = None) -> str:
    """Calls the function on the data and returns result or error as JSON text; raises nothing but exits and kills.

    Args:
        reference: of the function; its module is loaded first, which is no part of the job's time.
        text: the data.
        within: entered around the call.
    """
    start = time.monotonic()
    try:
        work = function_of(reference)
        start = time.monotonic()
        with within or nullcontext():
            result = work(json.loads(text))
        told: dict[str, Any] = {"result": json.loads(plain(result, f"the result of {reference}"))}
    except Exceeded as over:
        told = {"cause": over.cause, "message": over.message}
    except MemoryError as error:
        told = {"cause": "memory", "message": f"MemoryError: {error}"}
    except Exception as error:  # noqa: BLE001 - an error of a job is an outcome
        told = {"cause": "error", "message": message_of(error)}
    return json.dumps(told | {"seconds": time.monotonic() - start})


def message_of(error: Exception) -> str:
    """The error and the last place in the code that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" ({last.filename}:{last.lineno})" if last else ""
    return f"{type(error).__name__}: {error}{place}"


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


def refuse_in_worker() -> None:
    """Raises UsageError in a worker, which may start no workers."""
    if os.environ.get(MARK):
        raise UsageError(
            "a worker was asked to start workers: the script that it loads starts a study",
            expected="a script that only defines things when it is imported",
            remedy='put the call under `if __name__ == "__main__":`',
        )
