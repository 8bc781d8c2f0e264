"""The serial engine passes the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initium.engines import Done, Engine, Job, Limits, open_engine
from initium.errors import UsageError
from initium.testing.engines import ENGINE_CHECKS, double


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Callable[..., Engine]], None]) -> None:
    check(lambda **options: open_engine("serial", **options))


def test_limits_that_it_cannot_keep_are_refused() -> None:
    with pytest.raises(UsageError, match="limit of time or memory"):
        open_engine("serial", limits=Limits(seconds=1))


def test_jobs_come_back_in_the_order_in_which_they_were_given():
    with open_engine("serial") as engine:
        for number in range(3):
            engine.submit(double, Job(str(number), {"x": number}))
        assert engine.num_open == 3
        found = [engine.wait() for _ in range(4)]
    assert [one.key for one in found[:3] if isinstance(one, Done)] == ["0", "1", "2"]
    assert found[3] is None
