"""Results of trials in stores and in what workers send: the same again, or an error that names the place."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from initium.errors import UsageError
from initium.study.trial.inits import Health
from initium.study.trial.trial import TrialResult

RESULT = TrialResult(
    (2.5, 1.25), 1.75, 1.25, 0.5, 1.5, False, 2, 0.125, Health("healthy", 0.25, "auto"), 0.75
)
DATA: dict[str, Any] = {
    "losses": [2.5, 1.25], "area": 1.75, "final_loss": 1.25, "metric": 0.5, "test_loss": 1.5, "diverged": False,
    "steps_done": 2, "seconds": 0.125, "health": {"verdict": "healthy", "badness": 0.25, "chosen": "auto"},
    "train_metric": 0.75,
}  # fmt: skip


def test_a_result_is_plain_data_and_back() -> None:
    assert json.dumps(RESULT.to_data()) == json.dumps(DATA)
    assert TrialResult.from_data(json.loads(json.dumps(DATA))) == RESULT


def test_results_of_older_versions_have_no_score_in_training() -> None:
    older = {name: value for name, value in DATA.items() if name != "train_metric"}
    assert TrialResult.from_data(older).train_metric is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"losses": [1.0, "2"]}, r"losses\[1\]: '2' is no number"),
        ({"losses": [math.inf]}, r"losses\[0\]: inf is not finite"),
        ({"losses": 3}, "losses: 3 is no list"),
        ({"area": math.nan}, "area: nan is not finite"),
        ({"diverged": 0}, "diverged: 0 is neither true nor false"),
        ({"steps_done": -1}, "steps_done: -1 is no whole number of at least 0"),
        ({"health": {"verdict": "healthy"}}, "health: no 'badness'"),
        ({"health": {"verdict": 1, "badness": 0.0}}, r"health\.verdict: 1 is no text"),
        ({"code": "import os"}, r"unknown fields \['code'\]"),
    ],
)
def test_what_is_no_result_is_an_error(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        TrialResult.from_data(DATA | change)
    assert "no result of a trial" in caught.value.seen
    assert caught.value.remedy == "run the trial again"
