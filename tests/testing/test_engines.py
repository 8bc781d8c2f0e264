"""The conformance suite passes the serial engine, and notices each way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from initium.engines.engine import Done, Failed, Job, Outcome
from initium.engines.serial import SerialEngine
from initium.testing import engines as suite


class Wrong(SerialEngine):
    """A serial engine with one fault."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def submit(self, work: Any, job: Job) -> None:
        if self.fault == "takes anything" and not _plain(job.data):
            return
        super().submit(work, job)

    def wait(self, seconds: float | None = None) -> Outcome | None:
        one = super().wait(seconds)
        if self.fault == "loses" and one is not None and one.key == "job 3":
            return super().wait(seconds)
        if self.fault == "doubles" and isinstance(one, Done):
            return replace(one, result={"x": 7})
        if self.fault == "counts" and isinstance(one, Done):
            return replace(one, attempts=2)
        if self.fault == "hides errors" and isinstance(one, Failed):
            return Done(one.key, {}, 0.0)
        if self.fault == "silent" and isinstance(one, Failed):
            return replace(one, message="failed")
        if self.fault == "no place" and isinstance(one, Failed):
            return replace(one, message=one.message.splitlines()[0].replace("engines.py", "") + " KeyError")
        return one


def _plain(data: Any) -> bool:
    try:
        return json.loads(json.dumps(data)) == data
    except TypeError:
        return False


def test_the_serial_engine_passes() -> None:
    suite.check_engine(SerialEngine, isolated=False)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("loses", suite.check_results), ("doubles", suite.check_results), ("counts", suite.check_results),
        ("hides errors", suite.check_error_is_an_outcome), ("silent", suite.check_error_is_an_outcome),
        ("no place", suite.check_error_is_an_outcome),
        ("hides errors", suite.check_result_must_be_plain), ("takes anything", suite.check_refuses_before_running),
    ],
)  # fmt: skip
def test_a_fault_is_noticed(fault: str, check: Callable[..., None]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check(lambda: Wrong(fault))


def test_an_engine_in_the_same_process_is_not_isolated() -> None:
    with pytest.raises(AssertionError):
        suite.check_own_process(SerialEngine)


def test_every_check_is_run_and_told_what_it_checks() -> None:
    named = {one for name, one in vars(suite).items() if name.startswith("check_") and name != "check_engine"}
    run = {one for listed in vars(suite).values() if isinstance(listed, tuple) for one in listed}
    assert run == named
    assert all(one.__doc__ for one in named)


def test_the_works_do_what_they_say() -> None:
    assert suite.double({"x": 21}) == {"x": 42}
    assert suite.die({"die": False}) == {}
    assert suite.die_once({"x": 3, "mark": ""}) == {"x": 3}
    assert suite.grow({"grow": False}) == {"blocks": 0}
