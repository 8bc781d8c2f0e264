"""The conformance suite of engines: what serial, processes and ray all do, and yours should.

Each check takes a function that opens an engine and raises AssertionError if it does not hold.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from initium.engines.engine import Done, Engine, Failed, Job, Limits, Outcome, run
from initium.errors import InitiumError

Open = Callable[..., Engine]
"""Opens an engine; takes `limits` if the engine keeps limits."""
Plain = dict[str, Any]


def check_engine(open_engine: Open, *, isolated: bool) -> None:
    """Every check on one engine.

    Args:
        open_engine: opens the engine.
        isolated: whether jobs run in processes of their own, which may be killed.
    """
    for check in ENGINE_CHECKS:
        check(open_engine)
    for check in ISOLATED_CHECKS if isolated else ():
        check(open_engine)


def check_results(open_engine: Open) -> None:
    """Every job is done once, and its outcome has its key, its result and its time."""
    jobs = [Job(f"job {i}", {"x": i, "deep": {"list": [1.5, None, "text"]}}) for i in range(8)]
    with open_engine() as engine:
        found = {one.key: one for one in run(engine, double, jobs)}
        assert engine.num_open == 0
        assert engine.wait() is None
    assert found.keys() == {job.key for job in jobs}
    for i, job in enumerate(jobs):
        done = found[job.key]
        assert isinstance(done, Done), done
        assert done.result == {"x": 2 * i}
        assert 0 <= done.seconds < 60
        assert done.attempts == 1


def check_next_job_after_outcome(open_engine: Open) -> None:
    """Jobs are taken when there is room, so that a controller decides late."""
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for i in range(6):
            taken.append(i)
            yield Job(str(i), {"x": i})

    with open_engine() as engine:
        for count, _ in enumerate(run(engine, double, jobs()), start=1):
            assert len(taken) <= count + engine.num_workers
    assert len(taken) == 6


def check_error_is_an_outcome(open_engine: Open) -> None:
    """A job that raises does not disturb the others, and its message tells what and where."""
    jobs = [Job("good", {"x": 1}), Job("bad", {}), Job("odd", {"x": "text"}), Job("better", {"x": 2})]
    with open_engine() as engine:
        found = {one.key: one for one in run(engine, double, jobs)}
    bad = found["bad"]
    assert isinstance(bad, Failed), bad
    assert bad.cause == "error"
    assert "KeyError" in bad.message
    assert "engines.py" in bad.message
    assert [found[key] for key in ("good", "better")] == [
        Done(key, {"x": x}, _seconds(found[key])) for key, x in (("good", 2), ("better", 4))
    ]


def check_result_must_be_plain(open_engine: Open) -> None:
    """A result that is no JSON value is an error of the job."""
    with open_engine() as engine:
        (one,) = run(engine, give_object, [Job("a", {})])
    assert isinstance(one, Failed), one
    assert "plain" in one.message


def check_refuses_before_running(open_engine: Open) -> None:
    """Data that are not plain, and functions that a worker cannot import, are refused when they are submitted."""
    with open_engine() as engine:
        for work, data in ((double, {"x": {1, 2}}), (double, {"x": (1, 2)}), (lambda data: data, {})):
            try:
                engine.submit(work, Job("a", data))
            except InitiumError:
                continue
            raise AssertionError(f"{engine.name} took {data} for {work}")
        assert engine.num_open == 0


def check_many_runs(open_engine: Open) -> None:
    """An engine runs again after a run, and with another function."""
    with open_engine() as engine:
        first = [one.key for one in run(engine, double, [Job("a", {"x": 1})])]
        (second,) = run(engine, where, [Job("b", {})])
    assert first == ["a"]
    assert isinstance(second, Done), second


def check_own_process(open_engine: Open) -> None:
    """Jobs do not run in the controller."""
    with open_engine() as engine:
        (one,) = run(engine, where, [Job("a", {})])
    assert isinstance(one, Done), one
    assert one.result["pid"] != os.getpid()


def check_killed_once(open_engine: Open) -> None:
    """A job whose process is killed is tried again; the others are done once."""
    with tempfile.TemporaryDirectory() as directory, open_engine() as engine:
        jobs = [
            Job(str(i), {"x": i, "mark": str(Path(directory) / "mark") if i == 1 else ""}) for i in range(4)
        ]
        found = {one.key: one for one in run(engine, die_once, jobs)}
    for i in range(4):
        done = found[str(i)]
        assert isinstance(done, Done), done
        assert done.result == {"x": i}


def check_killed_always(open_engine: Open) -> None:
    """A job that always dies fails in the end, with the cause; the others are done."""
    with open_engine(limits=Limits(attempts=2)) as engine:
        found = {
            one.key: one for one in run(engine, die, [Job("a", {"die": False}), Job("b", {"die": True})])
        }
    assert isinstance(found["a"], Done), found["a"]
    dead = found["b"]
    assert isinstance(dead, Failed), dead
    assert dead.cause == "killed"


def check_time_limit(open_engine: Open) -> None:
    """A job past its time is ended."""
    with open_engine(limits=Limits(seconds=3.0)) as engine:
        start = time.monotonic()
        found = {
            one.key: one for one in run(engine, sleep, [Job("short", {"s": 0.0}), Job("long", {"s": 60.0})])
        }
        assert time.monotonic() - start < 50
    assert isinstance(found["short"], Done), found["short"]
    late = found["long"]
    assert isinstance(late, Failed), late
    assert late.cause == "time"


def check_memory_limit(open_engine: Open) -> None:
    """A job past its memory is ended; the others are done. Needs /proc."""
    with open_engine(limits=Limits(memory_gb=1.5)) as engine:
        jobs = [Job("small", {"grow": False}), Job("big", {"grow": True})]
        found = {one.key: one for one in run(engine, grow, jobs)}
    assert isinstance(found["small"], Done), found["small"]
    big = found["big"]
    assert isinstance(big, Failed), big
    assert big.cause == "memory"
    assert "more than 1.5" in big.message


def check_wait_gives_up(open_engine: Open) -> None:
    """`wait` with a time returns None when nothing finished in it, and leaving ends what runs."""
    with open_engine() as engine:
        engine.submit(sleep, Job("a", {"s": 60.0}))
        start = time.monotonic()
        assert engine.wait(0.3) is None
        assert engine.num_open == 1
    assert time.monotonic() - start < 20


ENGINE_CHECKS = (
    check_results,
    check_next_job_after_outcome,
    check_error_is_an_outcome,
    check_result_must_be_plain,
    check_refuses_before_running,
    check_many_runs,
)
ISOLATED_CHECKS = (
    check_own_process,
    check_killed_once,
    check_killed_always,
    check_time_limit,
    check_memory_limit,
    check_wait_gives_up,
)


def double(data: Plain) -> Plain:
    """Twice `x`."""
    return {"x": 2 * data["x"] if isinstance(data["x"], int) else int(data["x"])}


def give_object(data: Plain) -> Plain:
    """Something that is not plain."""
    del data
    return {"x": object()}


def where(data: Plain) -> Plain:
    """The process that this runs in."""
    del data
    return {"pid": os.getpid()}


def sleep(data: Plain) -> Plain:
    """Nothing, for `s` seconds."""
    time.sleep(data["s"])
    return {}


def grow(data: Plain) -> Plain:
    """Touches memory, for ever if `grow`."""
    blocks = []
    while data["grow"]:
        blocks.append(bytearray(50_000_000))
        time.sleep(0.02)
    return {"blocks": len(blocks)}


def die(data: Plain) -> Plain:
    """Kills its process if `die`."""
    if data["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {}


def die_once(data: Plain) -> Plain:
    """Kills its process unless the file `mark` is there, which it makes."""
    mark = data["mark"]
    if mark and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"x": data["x"]}


def _seconds(outcome: Outcome) -> float:
    assert isinstance(outcome, Done), outcome
    return outcome.seconds
