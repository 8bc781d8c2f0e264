from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from tests.plan.nets import Small, pictures
from torch import nn

import initium
from initium import Plan, plan

MADE = plan(Small(), pictures())


def test_it_is_a_sequence_of_assignments_by_name() -> None:
    assert len(MADE) == 7
    assert [one.name for one in MADE] == [name for name, _ in Small().named_parameters()]
    assert MADE["3.weight"] is MADE.assignments[3]
    with pytest.raises(KeyError):
        MADE["3.wieght"]


def test_it_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        MADE.seed = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        MADE["3.weight"].scale = 2.0  # type: ignore[misc]


def test_it_says_what_it_was_made_for() -> None:
    assert MADE.model == "Small"
    assert MADE.policy == "auto"
    assert MADE.verdict in ("healthy", "unhealthy")
    assert MADE.chosen


def test_as_text_and_as_a_page(tmp_path: Path) -> None:
    for text in (str(MADE), MADE._repr_html_()):
        assert all(one.name in text for one in MADE)
        assert "stay as they are" in text
    MADE.to_html(tmp_path / "plan.html")
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "src=" not in page.replace("src='data:", "")


def test_the_module_is_the_verb() -> None:
    """initium.plan is both the package and the function of that name."""
    assert isinstance(initium.plan(nn.Linear(2, 2), pictures()[:, 0, 0, :2], policy="shipped"), Plan)
    assert initium.plan.Plan is Plan
