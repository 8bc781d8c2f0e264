"""The conformance suite of tasks: data, goal and models agree, and a model learns."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.study.tasks import Batch, Scores, Task, TaskKind, open_task
from initium.study.tasks.task_contract import checked
from initium.study.trial.inits import init_data
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import run_trial

CEILINGS = (1.5, 3.0)
"""How many times the loss of a model that knows nothing the ceiling may be; 2 is meant."""


def check_task_kind(kind: TaskKind) -> None:
    """Every requirement on one kind of task, on its embedded data.

    Args:
        kind: the record; one with embedded data, and at least one standard model.

    Raises:
        AssertionError: what does not hold.
        ContractError: what it opens is no task.

    Example:
        >>> from initium.study.tasks import TASK_KINDS
        >>> check_task_kind(TASK_KINDS[0])
    """
    assert kind.embedded is not None, f"{kind.name} has no embedded data to look at"
    assert kind.models, f"{kind.name} names no standard model"
    assert kind.steps >= 1, f"{kind.name}: {kind.steps} steps"
    assert kind.batch_size >= 1, f"{kind.name}: a batch of {kind.batch_size}"
    check_task(Task(kind.goal, *kind.embedded(), {"kind": kind.name}, kind.models))


def check_task(task: Task, *, reopened: bool = False) -> None:
    """Every requirement on one task.

    Args:
        task: with at least one standard model in `models`.
        reopened: whether its source must open the same task again, and a model must learn it.

    Raises:
        AssertionError: what does not hold.
        ContractError: it is no task.
    """
    checked(task)
    check_models(task)
    check_ignorance(task)
    check_refusals(task)
    if reopened:
        check_source(task)
        check_learning(task)


def check_models(task: Task) -> None:
    """Every standard model fits, gives a scalar loss with gradients, and is scored with finite numbers."""
    for name in task.models:
        model = task.make_model(name)
        task.check_model(model)
        loss: Any = task.loss(model, _batch(task, 4))
        assert isinstance(loss, Tensor), f"the loss of {name} is a {type(loss).__name__}"
        assert loss.shape == (), f"the loss of {name} has shape {tuple(loss.shape)}"
        loss.backward()  # type: ignore[no-untyped-call]
        assert any(one.grad is not None and bool(one.grad.any()) for one in model.parameters()), (
            f"{name}: no gradient"
        )
        scores: Any = task.evaluate(model, max_samples=32)
        assert isinstance(scores, Scores), f"the score of {name} is a {type(scores).__name__}"
        assert 0.0 <= scores.metric <= 1.0, f"{task.metric} of {name} is {scores.metric}, not between 0 and 1"
        assert math.isfinite(scores.loss), f"the loss of {name} in evaluation is {scores.loss}"


def check_ignorance(task: Task) -> None:
    """The ceiling is about twice the loss of a model whose weights are zero."""
    model = task.make_model()
    with torch.no_grad():
        for one in model.parameters():
            if one.dim() > 1:
                one.zero_()
        loss = float(task.loss(model, _batch(task, 64)))
    low, high = CEILINGS
    assert low <= task.ceiling / loss <= high, f"a ceiling of {task.ceiling:.3g} for a loss of {loss:.3g}"


def check_refusals(task: Task) -> None:
    """An output that no loss can use is refused as a UsageError."""
    batch = _batch(task, 4)
    wrong = torch.zeros(len(batch.inputs), 1, 1, 1, task.goal.outputs(len(task.classes)) + 1)
    try:
        task.goal.check_output(wrong, batch, len(task.classes))
    except UsageError:
        return
    raise AssertionError(f"an output of shape {tuple(wrong.shape)} passes check_output")


def check_source(task: Task) -> None:
    """The source opens the same samples again."""
    again = open_task(task.source)
    one, other = (each.train.take(torch.tensor([0, 1])).inputs for each in (task, again))
    assert torch.equal(one, other), "the source opens other samples"
    assert again.classes == task.classes, f"the source opens the classes {again.classes}"


def check_learning(task: Task) -> None:
    """A trial of the first standard model, started by `auto`, ends below the loss of one with zero weights."""
    losses = {}
    for init in ("auto", "zeros"):
        spec = TrialSpec(task.models[0], init_data(init), dict(task.source), steps=40, batch_size=32)
        losses[init] = run_trial(spec.to_data())["final_loss"]
    assert losses["auto"] < losses["zeros"], f"final losses of {losses}"


def _batch(task: Task, num: int) -> Batch:
    return next(task.batches(seed=0, batch_size=min(num, len(task.train)), num_steps=1))
