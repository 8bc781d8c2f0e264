"""What all engines share: plain data, and `run`."""

from __future__ import annotations

import math

import pytest

from initium.engines import Job, open_engine, run
from initium.engines.engine import plain
from initium.errors import UsageTypeError
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
