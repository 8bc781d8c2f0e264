"""The outcome of a search: whether it beat the baselines, and what it says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from tests.study.made import compared
from tests.study.search.test_tuning_json import tuning

MADE = tuning()


def test_a_start_that_won_on_fresh_seeds_beat_the_baselines() -> None:
    assert MADE.comparison.winner == "found 1"
    assert MADE.beat_baselines
    assert MADE.init is MADE.inits["found 1"]
    assert MADE.sentence.startswith("found 1 beats auto and shipped. found 1 wins")


def test_a_baseline_that_won_beat_nobody() -> None:
    lost = replace(MADE, chosen="auto", comparison=compared({"found 1": 1.4, "auto": 0.5, "shipped": 0.9}))
    assert lost.comparison.winner == "auto"
    assert not lost.beat_baselines
    assert lost.sentence.startswith("Nothing that was found is shown to beat auto. auto wins")


def test_equals_beat_nobody() -> None:
    even = replace(MADE, comparison=compared({"found 1": 0.5, "auto": 0.5, "shipped": 0.9}, sd=0.05))
    assert even.comparison.winner is None
    assert not even.beat_baselines


def test_the_record_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        MADE.chosen = "auto"  # type: ignore[misc]
