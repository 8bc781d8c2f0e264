"""What the server that workers are forked from loads for all of them, and what it leaves to each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from initium.engines.processes.preload import ASKED, asking

needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
MODULES = {
    "quiet": "value = 1",
    "threaded": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "broken": "raise RuntimeError('not today')",
    "ends": "import os, sys\nif 'forkserver' in str(sys.orig_argv) and 'INITIUM_WORKER' not in os.environ:\n"
    "    os._exit(3)\ndef work(data):\n    return data",
}
LOADED = """
import sys
from initium.engines.processes.preload import load_asked, num_threads
load_asked()
print(num_threads(), *sorted(sys.modules.keys() & {"quiet", "threaded", "broken"}), file=sys.stderr)
"""
NET = """
import sys
BEFORE = "hypothesis" in sys.modules
import hypothesis
def make():
    return BEFORE
"""
JOB = """
import os
LOADED_BY = os.getpid()
import torch
from initium.engines import function_of
from initium.study.trial.trial import flushes_denormals, surroundings

def work(data):
    found = {"once": LOADED_BY == os.getppid(), "before": function_of(data["net"])()}
    found |= {"server": len(os.listdir(f"/proc/{os.getppid()}/task"))}
    found |= {"threads": torch.get_num_threads(), "asked": data["asked"] in os.environ}
    with surroundings(1):
        return found | {"flushed": flushes_denormals()}
"""
ENGINE = """
import sys, torch
from initium.engines import Job, function_of, open_engine, run
from job import work

if __name__ == "__main__":
    net, asked = sys.argv[1:]
    function_of(net)
    with open_engine("processes", num_workers=1) as engine:
        for outcome in run(engine, work, [Job("a", {"net": net, "asked": asked}, (net,))]):
            print(outcome)
            print(torch.get_num_threads())
"""
ENDING = """
import sys
from initium.engines import Job, open_engine, processes, run
from ends import work

if __name__ == "__main__":
    processes.PRELOADED = tuple(sys.argv[1:])
    with open_engine("processes", num_workers=1) as engine:
        print(list(run(engine, work, [Job("a", {})])))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def ran(code: str, *arguments: str, directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    script = directory / "script.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, str(script), *arguments], env=os.environ | ALONE | variables, cwd=directory,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def loaded(modules: list[str], directory: Path) -> list[str]:
    """Threads of a server that was asked for modules, and those of `MODULES` that it has."""
    asked: dict[str, Any] = {"path": [str(directory), *sys.path], "modules": modules}
    done = ran(LOADED, directory=directory, **{ASKED: json.dumps(asked)})
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    return done.stderr.split()


def test_modules_are_found_where_the_controller_finds_them(directory: Path) -> None:
    assert loaded(["quiet"], directory) == ["1", "quiet"]


@needs_proc
def test_what_starts_threads_is_left_to_workers_and_the_rest_is_loaded(directory: Path) -> None:
    assert loaded(["json", "threaded", "quiet"], directory) == ["1", "quiet"]


def test_what_raises_is_left_to_workers(directory: Path) -> None:
    assert loaded(["broken", "no.such.module", "quiet"], directory) == ["1", "quiet"]


def test_only_a_server_that_is_started_while_asking_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with asking({"b", "a"}):
        assert json.loads(os.environ[ASKED]) == {"path": sys.path, "modules": ["a", "b"]}
    assert ASKED not in os.environ


@needs_proc
def test_modules_are_loaded_once_users_files_by_each_worker_and_nothing_else_changes(directory: Path) -> None:
    (directory / "net.py").write_text(NET)
    (directory / "job.py").write_text(JOB)
    done = ran(ENGINE, f"{directory / 'net.py'}:make", ASKED, directory=directory)
    told, threads = done.stdout.splitlines()[-2:]
    expected = {
        "once": True,
        "before": True,
        "server": 1,
        "threads": int(threads),
        "asked": False,
        "flushed": True,
    }
    assert f"result={expected}" in told, done.stderr


@pytest.mark.slow
def test_a_module_that_ends_the_server_is_told_and_left_to_workers(directory: Path) -> None:
    done = ran(ENDING, "initium.engines.processes.server", directory=directory)
    assert done.stdout.startswith("[Done"), done.stderr
    assert "ended, perhaps while it loaded ends" in done.stderr


@pytest.mark.slow
def test_a_server_that_cannot_start_is_told(directory: Path) -> None:
    done = ran(ENDING, "ends", directory=directory)
    assert done.returncode == 1
    assert "EngineError: the server that workers are forked from ended at once, twice" in done.stderr
