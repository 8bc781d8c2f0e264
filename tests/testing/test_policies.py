"""The suite of policies passes ours, and tells what is wrong with one of somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from initium.plan import Assignment
from initium.plan.policy import Decided, Need, Policy, Run
from initium.plan.policy_table import POLICIES
from initium.record import Record
from initium.testing import check_policy


class Narrow:
    """N(0, 0.01^2) for every parameter."""

    needs: Need = "none"

    def decide(self, record: Record, run: Run) -> Any:
        made = [
            Assignment(part.name, "normal", part.layer, part.role, "narrow", "small values", {"std": 0.01})
            for part in record.parts.values()
        ]
        return self.answer(made, run)

    def answer(self, made: list[Assignment], run: Run) -> Any:
        return made, ["all of them small"]


class Reasonless(Narrow):
    def answer(self, made: list[Assignment], run: Run) -> Any:
        return [Assignment(one.name, "zeros", one.layer, one.role, "none", "") for one in made], []


class Draws(Narrow):
    def answer(self, made: list[Assignment], run: Run) -> Any:
        torch.rand(1)
        return made, []


class Writes(Narrow):
    needs: Need = "data"

    def answer(self, made: list[Assignment], run: Run) -> Any:
        with torch.no_grad():
            next(run.model.parameters()).add_(1.0)
        return made, []


class Wavers(Narrow):
    calls = 0

    def answer(self, made: list[Assignment], run: Run) -> Any:
        self.calls += 1
        return [
            Assignment(one.name, "constant", one.layer, one.role, "n", "n", {"value": float(self.calls)})
            for one in made
        ], []


@pytest.mark.parametrize("name", ["auto", "shipped", "orthogonal", "lsuv"])
def test_ours_pass(name: str) -> None:
    check_policy(POLICIES[name])


def test_one_of_somebody_elses_passes() -> None:
    policy: Policy = Narrow()
    check_policy(policy)
    assert Decided([], ()).chosen == ""


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Reasonless, "without a reason"),
        (Draws, "global generator"),
        (Writes, "not as it was"),
        (Wavers, "two plans of one model differ"),
    ],
)
def test_a_faulty_policy_is_told(make: Callable[[], Policy], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_policy(make())
