"""The serial engine passes the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from initium.engines import Engine, Limits, open_engine
from initium.errors import UsageError
from initium.testing.engines import ENGINE_CHECKS


@pytest.mark.parametrize("check", ENGINE_CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Callable[[Callable[..., Engine]], None]) -> None:
    check(lambda **options: open_engine("serial", **options))


def test_limits_that_it_cannot_keep_are_refused() -> None:
    with pytest.raises(UsageError, match="limit of time or memory"):
        open_engine("serial", limits=Limits(seconds=1))
