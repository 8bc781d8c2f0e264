"""`kill -9` of a study's controller and workers at random moments, for every engine that should bear it."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONTROLLER = """
import json, sys
from initium.engines import Limits, open_engine
from initium.study.contest.compare import compare

if __name__ == "__main__":
    engine = open_engine(limits=Limits(attempts=20), **json.loads(sys.argv[2]))
    found = compare(
        "mlp4-relu", inits=["auto", "he_normal", "xavier_normal", "zeros"], lrs=[3e-4, 1e-3, 3e-3], steps=40,
        seeds=4, confirm=8, store=sys.argv[1], engine=engine, progress=False,
    )
    print(json.dumps(json.loads(found.to_json())))  # in one line: Ray prints of lost workers before it
"""
LONGEST = 600.0
"""Seconds that a study may take."""

Rows = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Study:
    """A study that can be started again and again with one command, in a directory of its own.

    Args:
        store: its file.
        engine: arguments of `open_engine`.
        environment: of the controller.
    """

    store: Path
    engine: dict[str, Any]
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def start(self) -> subprocess.Popen[str]:
        directory = self.store.parent / f"{self.store.stem} script"
        directory.mkdir(exist_ok=True)
        (directory / "study.py").write_text(CONTROLLER)
        return subprocess.Popen(
            [sys.executable, "study.py", str(self.store), json.dumps(self.engine)],
            cwd=directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def rows(self) -> Rows:
        """Key to result and time of writing."""
        if not self.store.exists():
            return {}
        with (
            closing(sqlite3.connect(self.store, timeout=30)) as base,
            suppress(sqlite3.OperationalError),  # no tables yet
        ):
            found = base.execute("SELECT key, result, finished FROM trials")
            return {key: (result, at) for key, result, at in found}
        return {}

    def wait_for(self, num: int, controller: subprocess.Popen[str]) -> None:
        """Until the store has so many rows, or the controller ended."""
        until = time.monotonic() + LONGEST
        while controller.poll() is None and len(self.rows()) < num and time.monotonic() < until:
            time.sleep(0.02)

    def told(self, controller: subprocess.Popen[str]) -> Any:
        """The table of a study that ends well, without what differs from run to run."""
        told, errors = controller.communicate(timeout=LONGEST)
        assert controller.returncode == 0, errors
        data = json.loads(told.splitlines()[-1])
        for standing in data["standings"]:
            for score in standing["scores"]:
                del score["seconds"]
        return data


def kill_at_random(
    study: Study, workers_of: Callable[[int], list[int]], *, kills: int, seed: int, longest_start: float
) -> tuple[subprocess.Popen[str], Rows, list[str]]:
    """Kills the controller or a worker so many times, and starts the controller again where it was that.

    Args:
        study: what runs.
        workers_of: process ids of the workers that are at work for the controller of that id.
        kills: how many.
        seed: of the moments and the victims.
        longest_start: seconds in which the first results come; a moment at the start lies within them.

    Returns:
        The last controller, at work; the rows that were there before it started; and who was killed.
    """
    rng, seen, victims = random.Random(seed), Rows(), ["controller"]
    controller = study.start()
    while len(victims) <= kills:
        if victims[-1] == "controller" and rng.random() < 0.3:  # while it starts
            time.sleep(rng.uniform(0.0, longest_start))
        else:
            study.wait_for(len(study.rows()) + rng.choice((1, 2)), controller)
            time.sleep(rng.uniform(0.0, 0.3))
        assert controller.poll() is None, "the study ended before all kills"
        workers = workers_of(controller.pid)
        who = rng.choice(workers) if workers and rng.random() < 0.6 else controller.pid
        kill(who)
        victims.append("controller" if who == controller.pid else "worker")
        if who == controller.pid:
            controller.communicate()
            now = study.rows()
            assert seen.items() <= now.items()
            seen, controller = now, study.start()
    return controller, seen, victims[1:]


def check_same_rows(ended: Rows, once: Rows, seen: Rows) -> None:
    """No trial was lost, and none that had ended before a kill ran again."""
    assert ended.keys() == once.keys()
    assert seen.items() <= ended.items()


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
