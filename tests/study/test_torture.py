"""`kill -9` of controllers and workers at random moments: the study ends with the same table, every trial run once."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

KILLS = 20
CONTROLLER = """
import sys
from initium.study.compare import compare

if __name__ == "__main__":
    found = compare(
        "mlp4-relu", inits=["auto", "he_normal", "xavier_normal", "zeros"], lrs=[3e-4, 1e-3, 3e-3], steps=20,
        seeds=4, confirm=4, store=sys.argv[1], workers=2, progress=False,
    )
    print(found.to_json())
"""

Rows = dict[str, tuple[str, str]]


def started(script: Path, store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(script), str(store)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def rows(store: Path) -> Rows:
    """Key to result and time of writing."""
    if not store.exists():
        return {}
    with (
        closing(sqlite3.connect(store, timeout=30)) as base,
        suppress(sqlite3.OperationalError),
    ):  # no tables yet
        found = base.execute("SELECT key, result, finished FROM trials")
        return {key: (result, at) for key, result, at in found}
    return {}


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def victim(rng: random.Random, controller: int) -> int:
    """The controller, or one of its workers if there is one."""
    workers = [worker for server in children(controller) for worker in children(server)]
    return rng.choice(workers) if workers and rng.random() < 0.5 else controller


def without_times(text: str) -> Any:
    """A comparison without what differs from run to run."""
    data = json.loads(text)
    for standing in data["standings"]:
        for score in standing["scores"]:
            del score["seconds"]
    return data


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def killed_again_and_again(script: Path, store: Path, seed: int) -> tuple[str, Rows, list[str]]:
    """What the study prints in the end, all rows that were ever seen, and who was killed."""
    rng, seen, victims = random.Random(seed), Rows(), []
    controller = started(script, store)
    while len(victims) < KILLS:
        target, until = len(rows(store)) + rng.choice((0, 0, 1, 2)), time.monotonic() + 60
        while controller.poll() is None and len(rows(store)) < target and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 3.0) if target == 0 else rng.uniform(0.0, 0.5))
        if controller.poll() is not None:
            break
        who = victim(rng, controller.pid)
        kill(who)
        victims.append("controller" if who == controller.pid else "worker")
        if who == controller.pid:
            controller.communicate()
            now = rows(store)
            assert seen.items() <= now.items()
            seen, controller = now, started(script, store)
    told, errors = controller.communicate(timeout=600)
    assert controller.returncode == 0, errors
    return told, seen, victims


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_study_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(CONTROLLER)
    calm, errors = started(script, tmp_path / "calm.db").communicate(timeout=600)
    assert calm, errors
    told, seen, victims = killed_again_and_again(script, tmp_path / "killed.db", seed=5)
    assert len(victims) == KILLS
    assert {"controller", "worker"} == set(victims)
    assert without_times(told) == without_times(calm)
    ended, once = rows(tmp_path / "killed.db"), rows(tmp_path / "calm.db")
    assert ended.keys() == once.keys()
    assert seen.items() <= ended.items()  # what was finished before a kill was never run again
    print(f"{len(ended)} trials; killed: {', '.join(victims)}")
