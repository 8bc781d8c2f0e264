"""The process engine passes the suite; what only it does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initium.engines import Done, Engine, Job, open_engine, run
from initium.engines.perform import MARK
from initium.errors import UsageError
from initium.testing.engines import ENGINE_CHECKS, ISOLATED_CHECKS, where

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no forkserver")

SCRIPT = """
import sys, time
from initium.engines import Job, open_engine, run

def work(data):
    with open(data["log"], "a") as file:
        file.write("start\\n")
    time.sleep(data["s"])
    return {"x": 1}

print("loaded as", __name__, flush=True)
if __name__ == "__main__":
    jobs = [Job(str(i), {"log": sys.argv[1], "s": float(sys.argv[2])}) for i in range(2)]
    with open_engine("processes", num_workers=2) as engine:
        for outcome in run(engine, work, jobs):
            print(outcome.result, flush=True)
"""


def open_processes(**options: Any) -> Engine:
    return open_engine("processes", num_workers=2, **options)


@pytest.mark.parametrize("check", [*ENGINE_CHECKS, *ISOLATED_CHECKS], ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Callable[..., Engine]], None]) -> None:
    check(open_processes)


def run_alone(data: dict[str, Any]) -> dict[str, Any]:
    """Kills itself at first; the second time it tells who else runs, by the marks that jobs leave."""
    mark = Path(data["directory"]) / data["key"]
    if data["dies"] and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    running = Path(data["directory"]) / f"running {data['key']}"
    running.touch()
    time.sleep(0.2)
    others = [path.name for path in mark.parent.glob("running *") if path != running]
    running.unlink()
    return {"others": others}


def test_a_killed_job_runs_alone(tmp_path: Path) -> None:
    jobs = [Job(str(i), {"directory": str(tmp_path), "key": str(i), "dies": i == 0}) for i in range(6)]
    with open_processes() as engine:
        found = {one.key: one for one in run(engine, run_alone, jobs)}
    first = found["0"]
    assert isinstance(first, Done)
    assert first.attempts == 2
    assert first.result == {"others": []}


def test_a_script_without_a_guard_is_not_run_again_and_its_functions_are_found(tmp_path: Path) -> None:
    script, log = tmp_path / "study.py", tmp_path / "log"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(log), "0"], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.count("{'x': 1}") == 2
    assert done.stdout.count("loaded as __main__") == 1
    assert "__mp_main__" not in done.stdout


def test_workers_end_with_a_killed_controller(tmp_path: Path) -> None:
    script, log = tmp_path / "study.py", tmp_path / "log"
    script.write_text(SCRIPT)
    controller = subprocess.Popen([sys.executable, str(script), str(log), "60"], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while (not log.exists() or log.read_text().count("start") < 2) and time.monotonic() < until:
        time.sleep(0.1)
    mine = _descendants_with(str(script.parent))
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in mine) and time.monotonic() < until:
        time.sleep(0.1)
    assert mine
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)


def _descendants_with(text: str) -> list[int]:
    """Processes whose command line has the text: the controller, its fork server and workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if text in (path / "cmdline").read_text() and int(path.name) != os.getpid():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_a_worker_may_not_start_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "1")
    with pytest.raises(UsageError, match="__main__"):
        open_processes()


def test_no_workers_are_refused() -> None:
    with pytest.raises(UsageError, match="num_workers is -1"):
        open_engine("processes", num_workers=-1)


def test_a_free_worker_starts_at_once() -> None:
    with open_processes() as engine:
        engine.submit(where, Job("a", {}))
        assert engine.num_open == 1
        assert isinstance(engine.wait(60.0), Done)
