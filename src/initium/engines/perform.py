"""One job: find the function, call it, tell what came of it as plain data; the part that all engines share."""

from __future__ import annotations

import json
import os
import time
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from initium.engines.engine import Cause, Done, Failed, Outcome, plain
from initium.engines.reference import function_of
from initium.errors import UsageError

MARK = "INITIUM_WORKER"
"""Set in the environment of a worker, where no further workers may be started."""


class Exceeded(BaseException):
    """A job went past a limit. No Exception, so that the job does not take it for one of its own.

    Args:
        cause: "time" or "memory".
        message: what was seen.
    """

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause, self.message = cause, message


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


def outcome_of(key: str, told: str, *, attempts: int) -> Outcome:
    """The outcome that a worker's text tells."""
    content = json.loads(told)
    if "result" in content:
        return Done(key, content["result"], content["seconds"], attempts)
    return Failed(key, content["cause"], content["message"], attempts)


def refuse_in_worker() -> None:
    """Raises UsageError in a worker, which may start no workers."""
    if os.environ.get(MARK):
        raise UsageError(
            "a worker was asked to start workers: the script that it loads starts a study",
            expected="a script that only defines things when it is imported",
            remedy='put the call under `if __name__ == "__main__":`',
        )
