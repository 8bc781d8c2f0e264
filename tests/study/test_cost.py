"""What a study would cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.study.test_compare import TINY

import initium
from initium.study.cost import Cost


def test_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    cost = initium.compare("mlp4-relu", **{**TINY, "store": tmp_path / "study.db"}, dry_run=True)
    assert isinstance(cost, Cost)
    assert (cost.fewest, cost.most) == (12 + 3 + 6, 12 + 3 + 9 + 6)
    assert cost.step_seconds > 0
    assert cost.seconds(10) == pytest.approx(10 * cost.trial_seconds)
    assert "21 to 30 trials of 8 steps" in str(cost)
    assert not (tmp_path / "study.db").exists()
