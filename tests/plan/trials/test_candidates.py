from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from initium.plan.trials.candidates import Candidate, is_sound


@pytest.mark.parametrize(
    ("found", "after", "good"),
    [
        (("unhealthy", 3.0), ("healthy", 0.5), True),
        (("unhealthy", 3.0), ("warning", 0.5), True),
        (
            ("healthy", 2.0),
            ("warning", 1.5),
            False,
        ),  # less bad by measure, but with a finding that was not there
        (("warning", 0.5), ("healthy", 0.9), False),
        (("healthy", 0.5), ("healthy", 0.5), True),
        (("unhealthy", 3.0), ("unhealthy", 1.0), False),
    ],
)
def test_neither_verdict_nor_measures_may_get_worse(
    found: tuple[str, float], after: tuple[str, float], good: bool
) -> None:
    def candidate(verdict: str, badness: float) -> Candidate:
        report: Any = SimpleNamespace(verdict=verdict, badness=badness, healthy=verdict != "unhealthy")
        return Candidate("", (), report)

    assert is_sound(candidate(*after), candidate(*found)) is good


def test_an_earlier_start_of_initium_is_no_bar_for_the_next() -> None:
    def candidate(badness: float, healthy: bool, ours: bool) -> Candidate:
        verdict = "healthy" if healthy else "unhealthy"
        report: Any = SimpleNamespace(verdict=verdict, badness=badness, healthy=healthy)
        return Candidate("", (), report, ours=ours)

    found = candidate(0.1, True, True)
    assert is_sound(candidate(0.2, True, False), found)
    assert not is_sound(candidate(0.2, False, False), found)
    assert not is_sound(candidate(0.2, True, False), candidate(0.1, True, False))
