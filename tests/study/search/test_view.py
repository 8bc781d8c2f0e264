"""What is shown of a search, finished or under way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.study.search.test_tuning_json import tuning

from initium.report import Table, document_of
from initium.study.search.search import Found
from initium.study.search.search_state import Searching
from initium.study.search.view import dials, dials_of_init

MADE = tuning()


def test_the_outcome_of_a_search_says_what_to_use_and_how_it_was_found() -> None:
    shown = document_of(MADE)
    assert shown.title == "mlp8-relu on classification: search for a start"
    assert shown.verdict is not None
    assert (shown.verdict.level, shown.verdict.word) == ("good", "better start found")
    use, found, *rest = shown.sections
    assert use.blocks[0].text.startswith("found 1: centred_orthogonal, gain hidden 4, centring 0.5.")  # type: ignore[union-attr]
    table = found.body
    assert isinstance(table, Table)
    assert [row[:4] for row in table.rows] == [["found 1", 0.5, 0.7, 1e-3], ["auto", None, 0.9, 1e-3]]
    assert [one.title for one in rest] == [one.title for one in document_of(MADE.comparison).sections]
    assert shown.footer.startswith("105 trials in 12")
    assert "budget 150 of full length" in shown.footer


def test_a_baseline_that_nothing_beat_is_a_note() -> None:
    even = replace(MADE.comparison, decision=replace(MADE.comparison.decision, winner=None))
    shown = document_of(replace(MADE, chosen="auto", comparison=even))
    assert shown.verdict is not None
    assert (shown.verdict.level, shown.verdict.word) == ("note", "nothing better found")


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        ({"lr": 1e-3, "base": "lsuv"}, "lsuv"),
        (
            {"lr": 1e-3, "base": "gains by role", "method": "normal", "gain head": 0.25},
            "normal, gain head 0.25",
        ),
        ({"lr": 1e-3, "base": "auto", "bias": "spread"}, "auto, spread biases"),
    ],
)
def test_a_candidate_in_words(candidate: dict[str, object], told: str) -> None:
    assert dials(candidate) == told


def test_a_start_that_no_candidate_made_is_told_by_its_policy() -> None:
    assert dials_of_init(replace(MADE, chosen="auto")) == "policy auto"
    assert dials_of_init(replace(MADE, found=())) == "shipped"


def test_a_search_under_way_lists_its_best_or_nothing() -> None:
    tried = (Found({"lr": 3e-3, "base": "auto"}, {}, 0.9, 0.6), Found({"lr": 1e-3, "base": "lsuv"}, {}, 0.7))
    one = Searching("net", "detection", "short trials", 24, 9, (), tried)
    shown = document_of(one)
    assert shown.verdict is not None
    assert "9 of 24 short trials ended, lowest loss of those before 0.6" in shown.verdict.sentence
    table = shown.sections[0].blocks[0]
    assert isinstance(table, Table)
    assert [list(row) for row in table.rows] == [[0.6, 3e-3, "auto"], [0.7, 1e-3, "lsuv"]]
    assert document_of(replace(one, found=())).sections == []
