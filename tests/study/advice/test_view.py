"""What is shown of a recommendation: each of the three things that it rests on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from initium.report import Mark, Table, document_of
from initium.study.advice.recommend import Evidence, Line, recommend

MADE = recommend(nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 4)), torch.randn(32, 8))
RUN = Evidence(
    "run 1", "mlp2", "classification", MADE.traits, "adamw, 150 steps",
    (Line("auto", 1e-3, 0.5, 0.25, 0.875, 5), Line("shipped", 3e-3, 1.0, 0.75, 0.5, 5)),
)  # fmt: skip


def test_the_diagnosis_stands_beside_that_of_the_plan() -> None:
    table = document_of(MADE).sections[1].blocks[0]
    assert isinstance(table, Table)
    assert [(name, mark.value) for name, mark, _ in table.rows if isinstance(mark, Mark)] == [
        ("as it is", MADE.shipped.verdict),
        ("with auto", MADE.plan.verdict),
    ]
    assert [row[2] for row in table.rows] == [MADE.shipped.badness, MADE.plan.after]


def test_theory_counts_every_parameter_of_the_plan_once() -> None:
    table = document_of(MADE).sections[2].body
    assert isinstance(table, Table)
    assert sum(int(row[0]) for row in table.rows) == len(MADE.plan) == 4  # type: ignore[call-overload]


def test_recorded_runs_are_told_with_their_distance() -> None:
    facts, table, prose = (
        document_of(replace(MADE, like=((0.5, RUN),), source="recorded once")).sections[3].blocks
    )
    assert ("distance", 0.5) in facts.pairs  # type: ignore[union-attr]
    assert isinstance(table, Table)
    assert list(table.rows[0]) == ["auto", 0.5, 0.25, 0.875, 1e-3, 5]
    assert "recorded once" in prose.text  # type: ignore[union-attr]


def test_no_net_like_it_is_told() -> None:
    text = str(replace(MADE, like=()))
    assert "None of the nets that were" in text
    assert "No recorded net is like this one." in text
