"""The suite of tasks passes ours, and tells what is wrong with one of somebody else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.study.tasks import own_tasks

from initium.study.tasks import TASK_KINDS, Scores, TaskKind
from initium.testing import check_task, check_task_kind


def goal(**others: Any) -> Any:
    made = own_tasks.Brightness()
    for name, value in others.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize("kind", [*TASK_KINDS[1:], own_tasks.KIND], ids=lambda kind: kind.name)
def test_sound_kinds_pass(kind: TaskKind) -> None:
    check_task_kind(kind)


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"ceiling": lambda num: 40.0}, "a ceiling of 40"),
        ({"score": lambda model, batches, num: Scores(1.5, 0.1)}, "R squared of mlp8-relu is 1.5"),
        ({"score": lambda model, batches, num: (0.5, 0.1)}, "the score of mlp8-relu is a tuple"),
        ({"check_output": lambda output, batch, num: None}, "passes check_output"),
    ],
)
def test_a_faulty_goal_is_told(others: dict[str, Any], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_task_kind(replace(own_tasks.KIND, goal=goal(**others)))


def test_a_kind_without_models_or_data_is_told() -> None:
    with pytest.raises(AssertionError, match="no embedded data"):
        check_task_kind(replace(own_tasks.KIND, embedded=None))
    with pytest.raises(AssertionError, match="no standard model"):
        check_task_kind(replace(own_tasks.KIND, models=()))


def test_a_source_of_other_samples_is_told() -> None:
    task = own_tasks.make_task()
    other = replace(task, train=own_tasks.samples(400, 5))
    assert not torch.equal(
        other.train.take(torch.tensor([0])).inputs, task.train.take(torch.tensor([0])).inputs
    )
    with pytest.raises(AssertionError, match="opens other samples"):
        check_task(other, reopened=True)
