"""How a comparison reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.study.made import compared, conducted, design, spread

from initium.study.comparison import Comparison

MEANS = {"shipped": 1.5, "auto": 0.5, "lsuv": 0.6}


def test_text_gives_the_outcome_first_and_a_line_an_init() -> None:
    text = str(compared(MEANS))
    assert text.split("\n")[1].startswith("WINNER  auto wins: its loss is 1")
    assert text.index("auto wins") < text.index("Ranking") < text.index("Cost")
    assert all(name in text for name in MEANS)
    assert "healthy" in text
    assert max(map(len, text.split("\n"))) <= 100


def test_a_tie_is_called_a_tie_and_not_told_apart_is_kept_from_equal() -> None:
    equal = compared({"a": 0.5, "b": 0.5001}, sd=0.0001)
    assert equal.winner is None
    assert any("a tie, equal within 2.0 %" in one for one in equal.sentences)
    assert "NO WINNER  a and b share the first place." in str(equal)
    undecided = compared({"a": 0.5, "b": 0.501}, sd=0.05)
    assert undecided.winner is None
    assert any("a tie for want of evidence" in one for one in undecided.sentences)
    assert "not told apart" in str(undecided)


def test_few_fresh_seeds_are_said() -> None:
    found = Comparison.of(conducted(design(*MEANS, confirm=3), spread(MEANS)))
    assert "Confirmed on 3 fresh seeds only; 8 or more are advised." in found.sentences


def test_the_best_rate_at_the_end_of_the_grid_is_said() -> None:
    assert any("try higher ones" in one for one in compared(MEANS).sentences)
    middle = Comparison.of(conducted(design(*MEANS, lrs=(1e-3, 3e-3, 1e-2)), spread(MEANS)))
    assert not any("try higher ones" in one for one in middle.sentences)


def test_diverged_runs_are_said() -> None:
    found = compared({"a": 0.5, "b": 4.5})
    assert any("b: 11 of 11 runs at its best learning rate diverged." in one for one in found.sentences)


def test_the_page_has_its_charts_and_nothing_to_load(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    compared(MEANS).to_html(target)
    page = target.read_text()
    assert page.count("<svg") == 3
    for words in ("Learning curves", "Rank plot", "Sensitivity to the learning rate", "Cost"):
        assert words in page
    assert "http-equiv" in page
    assert "src=" not in page


@pytest.mark.parametrize("phases", [0, 1, 3])
def test_a_study_under_way_can_be_shown(phases: int) -> None:
    found = Comparison.of(conducted(design(*MEANS), spread(MEANS), phases=phases))
    assert "UNDER WAY" in str(found)
    assert "<svg" in found._repr_html_() or not phases
