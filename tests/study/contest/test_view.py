"""How a comparison reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.study.made import compared, conducted, design, result, spread

from initium.study.contest.comparison import Comparison
from initium.study.contest.conduct import Conduct
from initium.study.run.runner import Ended

MEANS = {"shipped": 1.5, "auto": 0.5, "lsuv": 0.6}


def test_text_gives_the_outcome_first_and_a_line_an_init() -> None:
    text = str(compared(MEANS))
    assert text.split("\n")[1].startswith("WINNER  auto wins: its loss is 1")
    assert text.index("auto wins") < text.index("Ranking") < text.index("Cost")
    assert all(name in text for name in MEANS)
    assert "healthy" in text
    assert max(map(len, text.split("\n"))) <= 100


def test_both_scores_are_told_and_one_of_an_older_version_is_left_out() -> None:
    made = design("a", "b")
    conduct = conducted(made, lambda label, *_: 0.6 if label == "a" else 1.2)
    found = Comparison.of(conduct)
    assert (found["a"].mean("metric"), found["a"].mean("train_metric")) == pytest.approx((0.8, 0.85))
    row = next(line.split() for line in str(found).splitlines() if line.startswith("1"))
    assert row[4:6] == ["0.8", "0.85"]
    assert Comparison.from_json(found.to_json()) == found
    old = {cell: replace(one, train_metric=None) for cell, one in conduct.results.items()}
    conduct.results.update(old)
    row = next(line.split() for line in str(Comparison.of(conduct)).splitlines() if line.startswith("1"))
    assert row[4:6] == ["0.8", "0.001"]


def test_a_tie_is_called_a_tie_and_not_told_apart_is_kept_from_equal() -> None:
    equal = compared({"a": 0.5, "b": 0.5001}, sd=0.0001)
    assert equal.winner is None
    assert any("a tie, equal within 2.0 %" in one for one in equal.sentences)
    assert "NO WINNER  a and b share the first place." in str(equal)
    undecided = compared({"a": 0.5, "b": 0.501}, sd=0.05)
    assert undecided.winner is None
    assert any("a tie for want of evidence" in one for one in undecided.sentences)
    assert "not told apart" in str(undecided)


EIGHT = {"a": 0.5, "b": 0.9, "xavier_normal": 1.3, "lecun_normal": 1.31, "xavier_uniform": 1.32, "dead": 2.3}


def test_ties_of_inits_that_stopped_early_are_told_with_their_seeds() -> None:
    found = compared(EIGHT)
    ties = "xavier_normal, lecun_normal and xavier_uniform: a tie for want of evidence, no two of them told apart"
    assert any(one.startswith(f"{ties} (3 seeds of the race, at most 1.") for one in found.sentences)
    assert any("compare them alone with the same store" in one for one in found.sentences)
    pair = found.decision.between("xavier_normal", "xavier_uniform")
    assert pair is not None
    assert (pair.relation, pair.fresh, pair.difference.num) == ("undecided", False, 3)
    again = Comparison.from_json(found.to_json()).decision.between("xavier_normal", "xavier_uniform")
    assert again == pair
    rows = [line.split() for line in str(found).split("against one another\n")[1].split("\n")[2:6]]
    assert rows[0] == ["xavier_normal", "3", "lecun_normal,", "xavier_uniform", "dead"]
    assert rows[3] == ["dead", "3", "xavier_normal,", "lecun_normal,", "xavier_uniform"]
    assert "Those that were not confirmed, against one another" in found._repr_html_()


def test_stopped_inits_that_are_shown_to_be_equal_are_called_so() -> None:
    found = compared({"a": 0.5, "b": 0.9, "c": 1.3, "d": 1.3001}, sd=0.0001)
    told = "c and d: a tie, equal within 2.0 % (3 seeds of the race, at most 0.0 % apart as seen)."
    assert told in found.sentences
    assert "d (equal)" in str(found)


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


def test_an_init_whose_first_trial_has_not_ended_has_not_failed() -> None:
    conduct = Conduct(design("a", "b"))
    first = next(conduct.phases()).cells[0]
    conduct.take({first: Ended(conduct.spec(first), result(1.0))})
    text = str(Comparison.of(conduct))
    assert "no results yet" in text
    assert "failed" not in text


@pytest.mark.parametrize("phases", [0, 1, 3])
def test_a_study_under_way_can_be_shown(phases: int) -> None:
    found = Comparison.of(conducted(design(*MEANS), spread(MEANS), phases=phases))
    assert "UNDER WAY" in str(found)
    assert "<svg" in found._repr_html_() or not phases
