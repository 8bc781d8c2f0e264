"""A Ray cluster of two nodes on loopback addresses, by `ray start`, and programs that use it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

# Not 127.0.0.1, which Ray takes for the address of the machine's network card.
HEAD, SECOND = "127.0.0.2", "127.0.0.3"
MEMORY = 100_000_000


class Loopback:
    """Starts the nodes, one core each; the second one has the resource "second".

    Args:
        token: of the cluster; "" for none.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = secrets.token_hex(32) if token is None else token
        self.directory = tempfile.mkdtemp(prefix="ray")  # short: its sockets' names have to fit in 107 bytes
        self.nodes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:  # Ray keeps ports from 10002 to 19999 for its workers
            free.bind((HEAD, 0))
            self.port = free.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{HEAD}:{self.port}"

    def environment(self, **changes: str) -> dict[str, str]:
        """Of a node or a program; a change to "" takes a variable away."""
        guarded = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.token} if self.token else {}
        base = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        whole = base | guarded | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"} | changes
        return {key: value for key, value in whole.items() if value}

    def __enter__(self) -> Self:
        try:
            head = [
                "--head",
                f"--port={self.port}",
                "--include-dashboard=false",
                f"--temp-dir={self.directory}",
            ]
            self._start(HEAD, *head)
            self._wait_for_head()
            self._start(SECOND, f"--address={self.address}", '--resources={"second": 1}')
            self._wait_for_nodes()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in range(len(self.nodes)):
            self.kill(number)
        shutil.rmtree(self.directory, ignore_errors=True)

    def workers(self) -> list[int]:
        """Process ids of the workers that run a job."""
        pids = [pid for node in self.nodes for pid in _of_session(node.pid)]
        return [pid for pid in pids if _title(pid).startswith("ray::_perform")]

    def kill(self, number: int) -> None:
        """Ends every process of a node, as a lost machine does: 0 is the head."""
        node = self.nodes[number]
        for pid in _of_session(node.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait()

    def run(self, code: str, *arguments: str, timeout: float = 250, **changes: str) -> tuple[int, str, float]:
        """Exit code, output and seconds of a Python program."""
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, self.script(code), *(arguments or (self.address,))],
            env=self.environment(**changes),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        return done.returncode, done.stdout, time.monotonic() - begin

    def start(self, code: str) -> subprocess.Popen[str]:
        """A running Python program."""
        return subprocess.Popen(
            [sys.executable, self.script(code), self.address],
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def script(self, code: str) -> str:
        """A file of that code, in a directory of its own."""
        path = Path(tempfile.mkdtemp(dir=self.directory)) / "program.py"
        path.write_text(code)
        return str(path)

    def _start(self, ip: str, *options: str) -> None:
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
        common = [f"--node-ip-address={ip}", f"--object-store-memory={MEMORY}", "--disable-usage-stats"]
        with (Path(self.directory) / f"{ip}.log").open("wb") as log:
            self.nodes.append(
                subprocess.Popen(
                    [*ray, *common, *options],
                    env=self.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _wait_for_head(self) -> None:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                socket.create_connection((HEAD, self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((Path(self.directory) / f"{HEAD}.log").read_text())

    def _wait_for_nodes(self) -> None:
        code, told, _ = self.run(COUNT, timeout=90)
        assert code == 0, told


def _of_session(session: int) -> list[int]:
    """Processes of a session, workers included: Ray gives them groups of their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.append(int(path.name))
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


COUNT = """
import sys, time, ray
ray.init(sys.argv[1], logging_level="error", log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.2)
"""
