"""The life of a worker process, seen from a process of its own."""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from initium.engines import name_of
from initium.engines.perform import MARK
from initium.engines.processes.worker import child, print_aside


def doubled(data: dict[str, int]) -> dict[str, object]:
    print("a word of the job")
    return {"twice": 2 * data["value"], "pid": os.getpid(), "marked": os.environ.get(MARK)}


def held_off(data: dict[str, int]) -> dict[str, bool]:
    os.kill(os.getpid(), signal.SIGINT)
    return {"alive": True}


def lived(function, value: int) -> dict[str, object]:
    ours, theirs = mp.get_context("spawn").Pipe(duplex=False)
    process = mp.get_context("spawn").Process(
        target=child, args=(name_of(function), json.dumps({"value": value}), theirs)
    )
    process.start()
    theirs.close()
    answer = json.loads(ours.recv_bytes())
    process.join(30)
    assert process.exitcode == 0
    return answer


def test_a_worker_does_one_job_in_its_own_marked_process():
    answer = lived(doubled, 21)
    assert answer["result"]["twice"] == 42
    assert answer["result"]["pid"] != os.getpid()
    assert answer["result"]["marked"] == "1"
    assert MARK not in os.environ


def test_ctrl_c_is_left_to_the_controller():
    assert lived(held_off, 0)["result"] == {"alive": True}


def test_what_a_job_prints_goes_to_standard_error():
    code = (
        "from initium.engines.processes.worker import print_aside\n"
        "import os\nprint_aside()\nos.write(1, b'aside')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"", b"aside")
    assert callable(print_aside)


PARENT = """
import multiprocessing as mp, sys, time
from tests.engines.processes.test_worker import child, name_of, sleeping
if __name__ == "__main__":
    ours, theirs = mp.get_context("spawn").Pipe(duplex=False)
    process = mp.get_context("spawn").Process(target=child, args=(name_of(sleeping), "{}", theirs))
    process.start()
    print(process.pid, flush=True)
    time.sleep(60)
"""


def sleeping(data: dict[str, int]) -> dict[str, int]:
    time.sleep(60)
    return {}


def test_a_worker_ends_with_its_controller(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    paths = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    worker = int(parent.stdout.readline())
    time.sleep(3.0)  # the worker is importing, or already asleep
    parent.kill()
    parent.wait(30)
    limit = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < limit:
        time.sleep(0.1)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
