"""What is seen of a search that is under way: in its store, and on a terminal and in a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.study.search.test_tune import ASKED, planted, tuned, work  # noqa: F401 - a fixture

from initium.errors import StoreError
from initium.study.contest.compare import SEARCH
from initium.study.report_store import report
from initium.study.run.store import Store
from initium.study.search.search_state import Searching
from initium.study.search.tune import tune

ENDED = 20


def interrupted(data: dict[str, Any]) -> dict[str, Any]:
    """Ends the controller in the midst of a batch of eight."""
    if len(ASKED) == ENDED:
        raise KeyboardInterrupt
    return planted(data)


@pytest.fixture
def under_way(work: Any, tmp_path: Path) -> Path:  # noqa: F811 - a fixture
    """The store of a search that was ended."""
    work(interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "study.db")
    return tmp_path / "study.db"


def test_a_report_of_a_search_tells_how_far_it_is_and_the_best(under_way: Path) -> None:
    found = report(under_way)
    assert isinstance(found, Searching)
    with Store(under_way, write=False) as kept:
        assert (
            len(kept) <= found.ended <= len(kept) + 2
        )  # a candidate that is proposed again counts, and runs once
        losses = sorted(one.area for one in kept.results([spec.key for spec in ASKED]).values())
    assert 16 <= found.ended < found.num
    assert f"{found.ended} of {found.num} short trials ended" in str(found)
    assert (
        losses[0] <= found.found[0].short <= found.found[-1].short
    )  # those of the running batch are not in it
    assert json.loads(found.to_json())["found"][0]["candidate"]["lr"] in (1e-3, 3e-3)


def test_a_report_of_a_finished_search_is_its_comparison(work: Any, under_way: Path) -> None:  # noqa: F811
    work(planted)
    assert report(under_way) != tuned(under_way).comparison == report(under_way)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "initium.searching/9"},
        {"num": -1},
        {"found": [{"candidate": 3}]},
        {"due": "all"},
        {"more": 1},
    ],
)
def test_damaged_records_of_a_search_are_refused(under_way: Path, change: dict[str, Any]) -> None:
    with Store(under_way) as kept:
        (_, data), *_ = kept.studies()
        kept.put_study("damaged", SEARCH, data | change)
    with pytest.raises(StoreError, match="what is kept of its last search"):
        report(under_way)


def test_a_log_tells_every_trial_and_the_time_left(
    work: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    work(planted)
    tune("mlp4-sigmoid", budget=94, lrs=[1e-3, 3e-3], steps=40, engine="serial")
    lines = capsys.readouterr().err.splitlines()
    stages = [line for line in lines if line.startswith(("search", "screening", "confirmation"))]
    assert [line.partition(":")[0] for line in stages] == [
        "search, short trials", "search, trials of full length", "screening", "confirmation"
    ]  # fmt: skip
    assert "until the end of this stage" in stages[0]
    trials = [line for line in lines if line.startswith("[")]
    assert len(trials) == len(ASKED) == len({spec.key for spec in ASKED})
    assert "gains by role lr 0.003" in "".join(trials)
    assert "left of this stage" in trials[5]
