"""Jobs on a Ray cluster: core tasks, retried by Ray when a worker or a node dies.

Only plain data travel: the function by reference, its argument and its result as JSON text. The code of the library
goes along by `runtime_env`, so that every node runs the same.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from initium.engines.engine import Failed, Job, Limits, Outcome, Work, plain
from initium.engines.processes import usable_cores
from initium.engines.reference import name_of
from initium.engines.serial import outcome_of
from initium.engines.worker import MARK, perform
from initium.errors import MissingExtraError, UsageError

LOOK_EVERY = 0.5
"""Seconds between two looks at the time that jobs have taken, when it is limited."""
START = 15.0
"""Seconds that a worker may need to start, before the time of its job is counted."""
PORT = 6379


class RayEngine:
    """Runs jobs as tasks of a Ray cluster: one that runs already, or a new one on this machine.

    Args:
        num_workers: jobs at a time; all cores of the cluster divided by `cores` where it is None.
        address: "host:port" of the head, "auto" for the one of this machine; None starts a new cluster that ends with
            the engine.
        token: of the cluster (as RAY_AUTH_TOKEN says it); a new cluster makes its own. It must be given before
            ray is imported, and is never printed.
        cores: cores that each job is given.
        limits: time and memory of one job (Ray kills what needs more memory than its node has), and how often one is
            started whose worker or node died.
        timeout: seconds to reach the cluster.
        working_dir: directory that is sent to every node, for functions of the user's own modules and scripts.
    """

    name = "ray"

    def __init__(
        self,
        num_workers: int | None = None,
        *,
        address: str | None = None,
        token: str | None = None,
        cores: float = 1,
        limits: Limits | None = None,
        timeout: float = 30.0,
        working_dir: str | None = None,
    ) -> None:
        if token is not None:
            _set_token(token)
        self.ray = _ray()
        self.address, self.cores = address, cores
        self.limits, self.timeout, self.working_dir = limits or Limits(), timeout, working_dir
        self._num_workers = num_workers
        self._open: dict[Any, tuple[Job, float]] = {}
        self._finished: deque[Outcome] = deque()
        self._task: Any = None
        self._owns = False

    @property
    def num_workers(self) -> int:
        """How many jobs run at a time."""
        if self._num_workers is None:
            self._num_workers = max(1, int(self.ray.cluster_resources().get("CPU", 1) / self.cores))
        return self._num_workers

    @property
    def num_open(self) -> int:
        """How many jobs are on the cluster, or have an outcome that was not handed out."""
        return len(self._open) + len(self._finished)

    def submit(self, work: Work, job: Job) -> None:
        """Sends a job to the cluster; see `Engine.submit`."""
        reference, text = name_of(work), plain(job.data, f"job {job.key!r}")
        self._open[self._task.remote(reference, text)] = job, time.monotonic()

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """The next outcome; see `Engine.wait`."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self._finished and self._open:
            left = None if until is None else max(0.0, until - time.monotonic())
            patience = min(LOOK_EVERY, left or LOOK_EVERY) if self.limits.seconds else left
            ready, _ = self.ray.wait(list(self._open), num_returns=1, timeout=patience)
            for handle in ready:
                self._finish(handle)
            self._stop_late()
            if until is not None and time.monotonic() >= until:
                break
        return self._finished.popleft() if self._finished else None

    def _finish(self, handle: Any) -> None:
        job, _ = self._open.pop(handle)
        errors = self.ray.exceptions
        try:
            told = self.ray.get(handle)
        except errors.OutOfMemoryError as error:
            self._finished.append(Failed(job.key, "memory", _first_line(error), self.limits.attempts))
        except errors.TaskCancelledError:
            self._finished.append(Failed(job.key, "time", f"ran longer than {self.limits.seconds:g} s"))
        except errors.RayError as error:
            self._finished.append(Failed(job.key, "killed", _first_line(error), self.limits.attempts))
        else:
            attempts, told = told
            self._finished.append(outcome_of(job.key, told, attempts=attempts))

    def _stop_late(self) -> None:
        """Cancels what is past its time, counted from when it was sent, with an allowance for the worker's start."""
        if self.limits.seconds is None:
            return
        for handle, (job, start) in list(self._open.items()):
            if time.monotonic() - start > self.limits.seconds + START:
                self.ray.cancel(handle, force=True)
                del self._open[handle]
                self._finished.append(Failed(job.key, "time", f"ran longer than {self.limits.seconds:g} s"))

    def __enter__(self) -> Self:
        _refuse_workers()
        if not self.ray.is_initialized():
            self._connect()
            self._owns = True
        options: dict[str, Any] = {
            "num_cpus": self.cores,
            "max_retries": self.limits.attempts - 1,
            "max_calls": 0,
        }
        if self.limits.memory_gb is not None:
            options["memory"] = int(self.limits.memory_gb * 1e9)
        self._task = self.ray.remote(**options)(_perform)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._open:
            self.ray.cancel(handle, force=True)
        self._open.clear()
        self._finished.clear()
        if self._owns:
            self.ray.shutdown()
            self._owns = False

    def _connect(self) -> None:
        """Starts a cluster, or reaches one within the timeout."""
        settings: dict[str, Any] = {
            "runtime_env": self._runtime_env(),
            "log_to_driver": False,
            "logging_level": "error",
        }
        if self.address is None:
            # In this thread: the cluster's processes end with the thread that started them.
            self.ray.init(num_cpus=self._num_workers or usable_cores(), include_dashboard=False, **settings)
            return
        _check_reachable(self.address, self.timeout)
        self._within_timeout(settings | {"address": self.address})

    def _within_timeout(self, settings: dict[str, Any]) -> None:
        """`ray.init`, which would try for minutes, in a thread that is left behind when it takes too long."""
        raised: list[Exception] = []

        def connect() -> None:
            try:
                self.ray.init(**settings)
            except Exception as error:  # noqa: BLE001 - handed to the other thread
                raised.append(error)

        thread = threading.Thread(target=connect, daemon=True)
        thread.start()
        thread.join(self.timeout)
        if thread.is_alive() or raised:
            reason = f"{type(raised[0]).__name__}: {_first_line(raised[0])}" if raised else "no answer"
            raise UsageError(
                f"the Ray cluster at {self.address} was not reached in {self.timeout:g} s ({reason})",
                expected="a running cluster of the same versions of Ray and Python, and its token",
                remedy="check `ray status` on the head, the address, and RAY_AUTH_TOKEN on both sides",
            )

    def _runtime_env(self) -> dict[str, Any]:
        import initium

        package = Path(str(initium.__file__)).parent
        env: dict[str, Any] = {"env_vars": {MARK: "1"}}
        if self.address is not None:
            env["py_modules"] = [str(package)]
        if self.working_dir is not None:
            env["working_dir"] = self.working_dir
        return env


def _perform(reference: str, text: str) -> tuple[int, str]:
    """Runs in a Ray worker: how often the task was started, and what the worker tells."""
    import ray

    attempt = getattr(ray.get_runtime_context(), "get_task_attempt_number", lambda: 0)()
    return attempt + 1, perform(reference, text)


def _check_reachable(address: str, timeout: float) -> None:
    """Raises UsageError if nothing listens at the address."""
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host or address, int(port or PORT)), timeout=timeout).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"nothing answers at the Ray address {address!r} ({error})",
            expected="host:port of a running head",
            remedy="start one with `ray start --head --port 6379`, or correct the address",
        ) from error


def _set_token(token: str) -> None:
    """Ray reads its token from the environment, once, when it is imported."""
    if "ray" in sys.modules and os.environ.get("RAY_AUTH_TOKEN") != token:
        raise UsageError(
            "ray was imported before its token was given",
            expected="the token before the first `import ray` of this process",
            remedy="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN in the environment",
        )
    os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", token


def _refuse_workers() -> None:
    if os.environ.get(MARK):
        raise UsageError(
            "a worker was asked to start workers: the script that it loads starts a study",
            expected="a script that only defines things when it is imported",
            remedy='put the call under `if __name__ == "__main__":`',
        )


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "the engine 'ray' needs the package ray, which is not installed",
            expected="ray",
            remedy="pip install 'initium[ray]'",
        ) from error
    return ray


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
