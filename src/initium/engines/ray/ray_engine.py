"""Jobs on a Ray cluster: core tasks, tried again when a worker or a node dies.

Only plain data travel: the function by reference, its argument and its result as JSON text. The code of the library
goes along by `runtime_env`, so that every node runs the same.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from initium.engines.engine import Cause, Failed, Job, Limits, Outcome, Work, plain, usable_cores
from initium.engines.job_limits import limited
from initium.engines.perform import MARK, outcome_of, perform, refuse_in_worker
from initium.engines.ray import cluster
from initium.engines.reference import HOME, name_of
from initium.errors import MissingExtraError, UsageError

PACKAGE = Path(__file__).parents[2]
"""The library itself, which every node of a cluster is sent."""


@dataclass(frozen=True, eq=False)
class _Sent:
    reference: str
    text: str
    job: Job
    attempts: int = 1


class RayEngine:
    """Runs jobs as tasks of a Ray cluster: one that runs already, or a new one on this machine.

    A job whose worker or node died is sent again, `limits.attempts` times in all; by the engine, not by Ray's
    `max_retries`, which counts neither attempts nor jobs that the node's memory did not suffice for.

    Args:
        num_workers: jobs at a time; as many as the cluster has room for where it is None.
        address: "host:port" of the head, "auto" for the one of this machine; None starts a new cluster that ends with
            the engine. This machine must be a node of the cluster.
        token: of the cluster (as RAY_AUTH_TOKEN says it); a new cluster makes its own. It must be given before
            ray is imported, and is never printed.
        cores: cores that each job is given.
        resources: what else each job is given: "GPU", or names that nodes were started with.
        limits: time and memory of one job, and how often one is started whose worker or node died.
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
        resources: Mapping[str, float] | None = None,
        limits: Limits | None = None,
        timeout: float = 30.0,
        working_dir: str | None = None,
    ) -> None:
        if token is not None:
            cluster.set_token(token)
        elif address is None:
            cluster.guard_new_cluster()
        self.ray = _ray()
        self.address, self.timeout = address, timeout
        self.limits, self.working_dir = limits or Limits(), working_dir
        self.needs = {"CPU": cores, **(resources or {})}
        self._num_workers = num_workers
        self._open: dict[Any, _Sent] = {}
        self._finished: deque[Outcome] = deque()
        self._task: Any = None
        self._head: cluster.Head | None = None
        self._owns = False

    @property
    def num_workers(self) -> int:
        """How many jobs run at a time."""
        if self._num_workers is None:
            self._num_workers = self._room()
        return self._num_workers

    def _room(self) -> int:
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        return sum(_times(node, self.needs) for node in nodes)

    @property
    def num_open(self) -> int:
        """How many jobs are on the cluster, or have an outcome that was not handed out."""
        return len(self._open) + len(self._finished)

    def submit(self, work: Work, job: Job) -> None:
        """Sends a job to the cluster; see `Engine.submit`."""
        self._send(_Sent(name_of(work), plain(job.data, f"job {job.key!r}"), job))

    def _send(self, one: _Sent) -> None:
        limits = self.limits
        handle = self._task.remote(one.reference, one.text, limits.seconds, limits.memory_gb)
        self._open[handle] = one

    def wait(self, seconds: float | None = None) -> Outcome | None:
        """The next outcome; see `Engine.wait`.

        Raises:
            ClusterError: the head of the cluster is gone.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not self._finished and self._open:
            left = cluster.ASK_EVERY if until is None else max(0.0, until - time.monotonic())
            ready, _ = self.ray.wait(list(self._open), num_returns=1, timeout=min(cluster.ASK_EVERY, left))
            for handle in ready:
                self._finish(handle)
            if not ready and self._head is not None:
                self._head.check()
            if until is not None and time.monotonic() >= until:
                break
        return self._finished.popleft() if self._finished else None

    def _finish(self, handle: Any) -> None:
        """Takes the result of a job, or sends it again if what it ran on died."""
        one, errors = self._open.pop(handle), self.ray.exceptions
        try:
            told = self.ray.get(handle)
        except errors.OutOfMemoryError as error:
            self._again(one, "memory", error)
        except (errors.RuntimeEnvSetupError, errors.RayTaskError) as error:
            self._failed(one, "error", error)
        except errors.RayError as error:
            self._again(one, "killed", error)
        else:
            self._finished.append(outcome_of(one.job.key, told, attempts=one.attempts))

    def _again(self, one: _Sent, cause: Cause, error: Exception) -> None:
        if one.attempts < self.limits.attempts:
            self._send(replace(one, attempts=one.attempts + 1))
        else:
            self._failed(one, cause, error)

    def _failed(self, one: _Sent, cause: Cause, error: Exception) -> None:
        self._finished.append(Failed(one.job.key, cause, cluster.first_line(error), one.attempts))

    def __enter__(self) -> Self:
        refuse_in_worker()
        if not self.ray.is_initialized():
            self._connect()
            self._owns = True
        self._head = cluster.Head(self.ray.get_runtime_context().gcs_address)
        self._check_room()
        options: dict[str, Any] = {"num_cpus": self.needs["CPU"], "max_retries": 0}
        options["num_gpus"] = self.needs.get("GPU", 0)
        options["resources"] = {key: x for key, x in self.needs.items() if key not in ("CPU", "GPU")}
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
            cores = self._num_workers or usable_cores()
            self.ray.init("local", num_cpus=cores, include_dashboard=False, **settings)
            return
        begin = time.monotonic()
        cluster.check_listens(self.address, self.timeout)
        cluster.check_cluster(self.address, self.timeout)
        left = self.timeout - (time.monotonic() - begin)
        cluster.connect(self.ray, settings | {"address": self.address}, left)

    def _check_room(self) -> None:
        """A job that no node has room for would wait for ever."""
        if self._room():
            return
        needs = ", ".join(f"{amount:g} {name}" for name, amount in self.needs.items() if amount)
        if self._num_workers is not None:
            warnings.warn(f"no node of the Ray cluster has {needs} yet: jobs wait for one", stacklevel=3)
            return
        self.__exit__(None, None, None)
        raise UsageError(
            f"no node of the Ray cluster has {needs}",
            expected="a node on which one job has room",
            remedy="ask for less (cores, resources), or give num_workers if nodes are still to come",
        )

    def _runtime_env(self) -> dict[str, Any]:
        variables = {MARK: "1"}
        env: dict[str, Any] = {"env_vars": variables}
        if self.address is not None:
            env["py_modules"] = [str(PACKAGE)]
        if self.working_dir is not None:
            variables[HOME] = str(Path(self.working_dir).absolute())
            env["working_dir"] = self.working_dir
        return env


def _perform(reference: str, text: str, seconds: float | None, memory_gb: float | None) -> str:
    """Runs in a Ray worker, in its main thread: what the worker tells."""
    return perform(reference, text, limited(seconds, memory_gb))


def _times(node: Mapping[str, float], needs: Mapping[str, float]) -> int:
    """How many jobs with such needs a node has room for."""
    return int(min((node.get(name, 0) / amount for name, amount in needs.items() if amount), default=1))


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
