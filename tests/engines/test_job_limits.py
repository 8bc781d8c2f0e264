"""A worker interrupts its own job."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from initium.engines.job_limits import limited, over_limit, resident_gb
from initium.engines.perform import Exceeded, perform

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


def test_a_job_past_its_time_is_interrupted() -> None:
    start = time.monotonic()
    with pytest.raises(Exceeded, match=r"longer than 0\.3 s"), limited(0.3, None):
        time.sleep(30)
    assert time.monotonic() - start < 10


@needs_proc
def test_a_job_past_its_memory_is_interrupted() -> None:
    with pytest.raises(Exceeded, match=r"more than 0\.001") as caught, limited(None, 0.001):
        time.sleep(30)
    assert caught.value.cause == "memory"


def stubborn(seconds: float) -> None:
    """Goes on after every Exception."""
    try:
        time.sleep(seconds)
    except Exception:  # noqa: BLE001 - what a job may do
        time.sleep(seconds)


def test_a_job_cannot_take_it_for_an_error_of_its_own() -> None:
    start = time.monotonic()
    with pytest.raises(Exceeded), limited(0.2, None):
        stubborn(5.0)
    assert time.monotonic() - start < 4


def test_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with limited(30.0, None):
        assert signal.getsignal(signal.SIGALRM) is not before
    assert signal.getsignal(signal.SIGALRM) is before


def test_loading_the_function_does_not_count(tmp_path: Path) -> None:
    script = tmp_path / "slow_to_load.py"
    script.write_text("import time\ntime.sleep(0.5)\ndef work(data):\n    return data\n")
    told = json.loads(perform(f"{script}:work", '{"x": 1}', limited(0.3, None)))
    assert told["result"] == {"x": 1}
    assert told["seconds"] < 0.3


def test_what_is_past_is_told_as_an_outcome() -> None:
    told = json.loads(perform("initium.testing.engines:sleep", '{"s": 30}', limited(0.2, None)))
    assert told["cause"] == "time"


@needs_proc
def test_memory_of_this_process_and_of_none() -> None:
    assert 0.01 < resident_gb(os.getpid()) < 100
    assert resident_gb(2**30) == 0.0
    assert over_limit(1.0, os.getpid(), 2.0, 100.0) is None


def test_a_limit_of_time_is_one_in_seconds() -> None:
    assert over_limit(0.9, os.getpid(), 1.0, None) is None
    assert over_limit(1.1, os.getpid(), 1.0, None) == ("time", "ran longer than 1 s")
    assert over_limit(1e9, os.getpid(), None, None) is None


@needs_proc
def test_memory_is_what_is_resident() -> None:
    """As the kernel tells it in another place, in kB; the address space of a process with torch is far larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    told = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    resident, addresses = (int(told[name]) * 1024 / 1e9 for name in ("VmRSS", "VmSize"))
    assert resident_gb(os.getpid()) == pytest.approx(resident, rel=0.05)
    assert addresses > 1.2 * resident
