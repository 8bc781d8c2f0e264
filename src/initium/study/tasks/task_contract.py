"""What a task of one's own must keep to, looked at before the first trial."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from initium.engines import function_of, name_of
from initium.errors import ContractError, UsageError
from initium.signatures import misfit
from initium.study.tasks.samples import Batch
from initium.study.tasks.task import Goal, Task

TASK_CONTRACT = (
    "an initium.study.tasks.Task: a `goal` with all that initium.study.tasks.Goal names, `train` and `test` with a "
    "length and `take(indices)` that returns a Batch, names of `classes`, and a `source` that every worker opens the "
    'same task from, such as {"function": "package.module:make_task"}'
)
TASK_METHODS = {"outputs": 1, "ceiling": 1, "loss": 2, "run": 2, "check_output": 3, "score": 3}
"""Methods of a goal, and the number of their arguments."""


def made_by(maker: str | Callable[[], Task]) -> Task:
    """The task that a function of the user's own makes, with the source that makes it again.

    Raises:
        UsageError: the function cannot be imported by a worker, or raises.
        ContractError: it returns no sound task.
    """
    reference = maker if isinstance(maker, str) else name_of(maker)
    function = function_of(reference)
    try:
        made = function()
    except Exception as error:
        raise UsageError(
            f"{reference} raised {type(error).__name__}: {error}",
            expected="a function without arguments that returns a Task",
            remedy="correct it; every worker calls it",
        ) from error
    if not isinstance(made, Task):
        raise broken(reference, f"it returned a {type(made).__name__}")
    source = {"kind": made.kind, "metric": made.metric, "function": reference}
    return checked(replace(made, source=source))


def checked(task: Task) -> Task:
    """The task itself, once it is known to have what a study asks of it.

    Raises:
        ContractError: it has not.
    """
    wrong = _in_goal(task.goal) or _in_data(task) or _in_source(task)
    if wrong:
        raise broken(getattr(task.goal, "kind", ""), wrong)
    return task


def broken(name: object, wrong: str) -> ContractError:
    """The error for a task that is none."""
    return ContractError(
        f"the task {name!r}: {wrong}",
        expected=TASK_CONTRACT,
        remedy="see docs/study.md; initium.testing.check_task(task) tells all that is wrong with one",
    )


def _in_goal(goal: Goal) -> str:
    for name in ("kind", "metric"):
        if not isinstance(getattr(goal, name, None), str) or not getattr(goal, name):
            return f"its goal has no text `{name}`"
    for name, num in TASK_METHODS.items():
        wrong = misfit(getattr(goal, name, None), *range(num))
        if wrong:
            return f"its goal has no `{name}` of {num} arguments ({wrong})"
    return ""


def _in_data(task: Task) -> str:
    for split in ("train", "test"):
        wrong = _in_samples(getattr(task, split))
        if wrong:
            return f"`{split}`: {wrong}"
    if not task.classes or not all(isinstance(one, str) for one in task.classes):
        return f"its classes are {task.classes!r}"
    ceiling: Any = task.ceiling
    if not isinstance(ceiling, int | float) or not 0 < ceiling < math.inf:
        return f"the ceiling of its goal is {ceiling!r}, where a number above 0 is asked for"
    return ""


def _in_samples(samples: Any) -> str:
    if not hasattr(samples, "__len__") or not len(samples):
        return f"a {type(samples).__name__} without samples"
    wrong = misfit(getattr(samples, "take", None), 0)
    if wrong:
        return f"no `take` of one argument ({wrong})"
    batch: object = samples.take(torch.tensor([0]))
    if not isinstance(batch, Batch):
        return f"`take` returned a {type(batch).__name__}"
    inputs: Any = batch.inputs
    single = isinstance(inputs, torch.Tensor) and inputs.shape[:1] == (1,)
    return "" if single else "`take` of one index returned inputs that are no tensor of one sample"


def _in_source(task: Task) -> str:
    try:
        plain = json.loads(json.dumps(dict(task.source))) == dict(task.source)
    except (TypeError, ValueError) as error:
        return f"its source is not plain: {error}"
    return "" if plain and task.source else f"its source is {dict(task.source)!r}, which opens nothing"
