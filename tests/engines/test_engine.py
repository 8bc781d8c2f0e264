"""What all engines share: plain data, and `run`."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.engines.own_engine import ThreadEngine

import initium
from initium.engines import Job, checked, open_engine, run
from initium.engines.engine import plain
from initium.errors import ContractError, UsageTypeError
from initium.testing.engines import double


@pytest.mark.parametrize("data", [{"x": (1, 2)}, {1: "x"}, {"x": {1}}, {"x": object()}, {"x": b"x"}])
def test_what_is_not_json_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(UsageTypeError, match="not plain data"):
        plain(data, "job 'a'")


def test_plain_data_keep_every_digit() -> None:
    assert (
        plain({"x": math.pi, "y": [None, True, "z"]}, "job")
        == '{"x": 3.141592653589793, "y": [null, true, "z"]}'
    )


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(UsageTypeError, match="not plain"):
        plain({"x": math.nan}, "job")


def test_run_ends_without_jobs() -> None:
    with open_engine("serial") as engine:
        assert list(run(engine, double, [])) == []


def test_two_jobs_may_run_after_each_other_with_one_key() -> None:
    with open_engine("serial") as engine:
        assert len(list(run(engine, double, [Job("a", {"x": 1})]))) == 1
        assert len(list(run(engine, double, [Job("a", {"x": 1})]))) == 1


def without(name: str) -> Any:
    """The engine of the tests, with one of its parts gone."""
    return type("Half", (ThreadEngine,), {name: None})()


BROKEN: dict[str, tuple[Any, str]] = {
    "a class": (ThreadEngine, "it is a class"),
    "a number": (3, "no text `name`"),
    "no name": (without("name"), "no text `name`"),
    "no submit": (without("submit"), "no `submit` of 2 arguments"),
    "no wait": (without("wait"), "no `wait` of 0 arguments"),
    "a wait that must be given a time": (
        type("Asks", (ThreadEngine,), {"wait": lambda self, seconds: None})(), "no `wait` of 0",
    ),
    "no context manager": (without("__exit__"), "no `__exit__` of 3"),
    "no count of open jobs": (without("num_open"), "no `num_open`"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_engine_is_named_before_anything_runs(kind: str) -> None:
    engine, told = BROKEN[kind]
    with pytest.raises(ContractError) as error:
        initium.compare("mlp4-relu", "classification", engine=engine, progress=False)
    assert told in error.value.seen
    assert "initium.engines.Engine" in error.value.expected
    assert "check_engine" in error.value.remedy


def test_a_whole_engine_passes() -> None:
    engine = ThreadEngine()
    assert checked(engine) is engine


def test_an_engine_without_workers_is_told_instead_of_waiting_for_ever() -> None:
    engine = ThreadEngine()
    engine.num_workers = 0
    with engine, pytest.raises(ContractError, match="num_workers is 0"):
        next(run(engine, double, [Job("a", {"x": 1})]))


def test_something_else_than_an_outcome_is_told() -> None:
    class Counts(ThreadEngine):
        def wait(self, seconds: float | None = None) -> Any:
            return 7

    with Counts() as engine, pytest.raises(ContractError, match="`wait` returned a int"):
        next(run(engine, double, [Job("a", {"x": 1})]))


def test_no_more_jobs_are_open_than_there_are_workers() -> None:
    """A job is taken from the source only when a worker is free for it."""
    open_at_submit: list[int] = []

    class Watched(ThreadEngine):
        def submit(self, work: Any, job: Job) -> None:
            open_at_submit.append(self.num_open)
            super().submit(work, job)

    engine = Watched()
    with engine:
        found = list(run(engine, double, (Job(str(number), {"x": number}) for number in range(7))))
    assert len(found) == 7
    assert max(open_at_submit) == engine.num_workers - 1
