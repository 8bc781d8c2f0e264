"""`report` of a store: the study that was started last, or what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.study.made import conducted, design, spread

from initium.errors import StoreError
from initium.study.contest.compare import KIND
from initium.study.contest.comparison import Comparison
from initium.study.report_store import report
from initium.study.run.store import Store

MEANS = {"auto": 0.5, "shipped": 0.9}


def write(path: Path, *, phases: int = 99, seeds: int = 5) -> Comparison:
    """The store of a comparison that ran so many phases."""
    inits = {name: {"kind": "policy", "policy": name} for name in MEANS}
    made = replace(design(*MEANS, seeds=seeds), inits=inits)
    conduct = conducted(made, spread(MEANS), phases=phases)
    with Store(path) as store:
        store.put_study(made.key, KIND, made.to_data())
        for cell, one in conduct.results.items():
            store.put(conduct.spec(cell), one)
    return Comparison.of(conduct)


def test_a_finished_comparison_is_told_from_its_store_alone(tmp_path: Path) -> None:
    made = write(tmp_path / "study.db")
    assert report(tmp_path / "study.db") == made
    assert made.winner == "auto"


def test_a_comparison_under_way_is_told_as_far_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "study.db", phases=1)
    found = report(tmp_path / "study.db")
    assert isinstance(found, Comparison)
    assert not found.finished
    assert found.winner is None


def test_the_last_study_of_several_is_told(tmp_path: Path) -> None:
    write(tmp_path / "study.db")
    last = write(tmp_path / "study.db", seeds=6)
    assert report(tmp_path / "study.db") == last
    assert last.seeds == 6


def test_a_store_without_a_study_is_an_error(tmp_path: Path) -> None:
    Store(tmp_path / "study.db").close()
    with pytest.raises(StoreError, match="holds no study"):
        report(tmp_path / "study.db")


def test_a_design_that_is_none_is_an_error_that_says_that_trials_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "study.db")
    with Store(tmp_path / "study.db") as store:
        store.put_study("damaged", KIND, {"base": 3})
    with pytest.raises(StoreError, match="what is kept of its last comparison is no design") as caught:
        report(tmp_path / "study.db")
    assert "its trials are kept" in caught.value.remedy
