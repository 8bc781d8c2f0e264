"""The Ray engine: errors without a cluster; with ray installed, the suite and a cluster that needs a token."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from initium.engines import Engine, open_engine
from initium.errors import MissingExtraError, UsageError
from initium.testing.engines import CHECKS, ISOLATED_CHECKS

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="ray is not installed")

STUDY = """
import sys, time
from initium.engines import Job, open_engine, run
from initium.testing.engines import sleep, where

with open_engine("ray", address=sys.argv[1], timeout=60.0) as engine:
    print("connected", flush=True)
    jobs = [Job(str(i), {"s": 2.0}) for i in range(8)]
    for outcome in run(engine, sleep, jobs):
        print(type(outcome).__name__, outcome.key, flush=True)
"""


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"initium\[ray\]"):
        open_engine("ray")


@needs_ray
def test_an_address_where_nothing_listens_is_told_within_the_timeout() -> None:
    start = time.monotonic()
    with pytest.raises(UsageError, match="nothing answers at the Ray address"):
        open_engine("ray", address="127.0.0.1:1", timeout=5.0).__enter__()
    assert time.monotonic() - start < 20


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", [*CHECKS, *ISOLATED_CHECKS], ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Callable[..., Engine]], None]) -> None:
    def open_ray(**options: Any) -> Engine:
        return open_engine("ray", num_workers=2, **options)

    check(open_ray)


@pytest.fixture
def cluster() -> Iterator[tuple[str, dict[str, str], list[subprocess.Popen[str]]]]:
    """A head and a second node on loopback, with a token: address, environment, the two processes."""
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--block"]
    ours = ["--node-ip-address=127.0.0.1"]
    directory = tempfile.mkdtemp(prefix="ray")  # short: its sockets' names have to fit in 107 bytes
    head = ["--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={directory}"]
    nodes = [_started([*ray, *ours, *head], environment)]
    _wait_for(port)
    nodes.append(_started([*ray, *ours, f"--address=127.0.0.1:{port}"], environment))
    try:
        yield f"127.0.0.1:{port}", environment, nodes
    finally:
        for node in nodes:
            os.killpg(node.pid, signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)


def _started(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for(port: int) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the head did not start")


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_may_die(
    cluster: tuple[str, dict[str, str], list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, environment, nodes = cluster
    script = tmp_path / "study.py"
    script.write_text(STUDY)
    study = subprocess.Popen(
        [sys.executable, str(script), address], env=environment, text=True, stdout=subprocess.PIPE
    )
    assert study.stdout is not None
    lines = [study.stdout.readline().strip() for _ in range(3)]
    os.killpg(nodes[1].pid, signal.SIGKILL)
    lines += [line.strip() for line in study.stdout]
    assert sorted(lines[1:]) == [f"Done {i}" for i in range(8)]


@needs_ray
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_wrong_token_is_told(
    cluster: tuple[str, dict[str, str], list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    address, environment, _ = cluster
    script = tmp_path / "study.py"
    script.write_text(STUDY)
    wrong = environment | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    done = subprocess.run(
        [sys.executable, str(script), address],
        env=wrong,
        text=True,
        capture_output=True,
        timeout=250,
        check=False,
    )
    assert done.returncode != 0
    assert "connected" not in done.stdout
    assert "RAY_AUTH_TOKEN" in done.stderr
