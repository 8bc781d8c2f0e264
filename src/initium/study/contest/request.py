"""What a user asks for, checked and turned into the design of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from initium.engines import function_of, name_of
from initium.errors import UnknownNameError, UsageError, UsageTypeError
from initium.study.contest.design import Design
from initium.study.tasks import Task, kind_names, open_task
from initium.study.tasks.kinds import kind_of_format, usual_length
from initium.study.tasks.loaders.loading import seen_format
from initium.study.tasks.models.by_name import parse
from initium.study.tasks.task_contract import broken, checked
from initium.study.trial.fingerprint import fingerprint
from initium.study.trial.inits import Init, init_data, init_label
from initium.study.trial.spec import TrialSpec, functions_of

INITS = (
    "auto",
    "lsuv",
    "he_normal",
    "orthogonal",
    "xavier_normal",
    "xavier_uniform",
    "lecun_normal",
    "shipped",
)
"""What is compared where the user names nothing; "shipped" is torch's own default for a standard model."""

Maker = str | Callable[..., nn.Module]
"""A standard model's name, the reference of a function that makes one, or such a function."""
TaskLike = str | Path | Mapping[str, Any] | Task
"""A kind of task (its embedded data), a path to the user's data, what `open_task` takes, or a task."""
Inits = Sequence[Init] | Mapping[str, Init]


def design_of(
    make_model: Maker,
    task: TaskLike,
    *,
    inits: Inits = INITS,
    lrs: Sequence[float] | None = None,
    seeds: int,
    confirm: int,
    model_args: Mapping[str, Any] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    **base: Any,
) -> Design:
    """The design that a user's arguments describe.

    Raises:
        InitiumError: something that can be seen without running a trial is wrong with them.
    """
    opened = opened_task(task)
    if steps is None or batch_size is None:
        usual = usual_length(opened)
        steps = usual[0] if steps is None else steps
        batch_size = usual[1] if batch_size is None else batch_size
    model = model_name(make_model, opened)
    data = inits_data(inits)
    spec = TrialSpec(
        model,
        next(iter(data.values()), init_data("shipped")),
        dict(opened.source),
        model_args=dict(model_args or {}),
        steps=steps,
        batch_size=batch_size,
        **base,
    )
    marked = replace(spec, fingerprint=fingerprint(functions_of(spec, data.values())))
    return Design(marked, data, tuple(lrs or ()), seeds, confirm)


def opened_task(task: TaskLike, data: Mapping[str, Any] | None = None) -> Task:
    """The task itself, with what `data` says of the user's own; raises what `open_task` raises."""
    if isinstance(task, Task):
        return _reopened(checked(task))
    if isinstance(task, Mapping):
        return open_task(task)
    return open_task({**_source(task), **(data or {})})


def _reopened(task: Task) -> Task:
    """The task as workers will open it, once it is known to be the same one."""
    try:
        again = open_task(task.source)
    except UnknownNameError as error:
        raise broken(task.kind, f"no worker can open it from its source: {error.seen}") from error
    for what, one, other in (
        ("kind", task.kind, again.kind),
        ("classes", task.classes, again.classes),
        ("number of training samples", len(task.train), len(again.train)),
        ("number of test samples", len(task.test), len(again.test)),
    ):
        if one != other:
            raise broken(task.kind, f"its source opens another task: the {what} is {other}, not {one}")
    return task


def _source(task: str | Path) -> dict[str, Any]:
    """A kind of task, or the path of data, as `open_task` takes it."""
    if str(task) in kind_names():
        return {"kind": str(task)}
    path = Path(task)
    if not path.exists():
        raise UsageError(
            f"the task {str(task)!r} is neither a kind of task nor an existing path",
            expected=f"{', '.join(kind_names())}, or a directory or COCO file with your own data",
            remedy="correct it",
        )
    return {"kind": kind_of_format(seen_format(path)).name, "path": str(path)}


def model_name(make_model: Maker, task: Task) -> str:
    """The model as a `TrialSpec` names it.

    Raises:
        UnknownNameError: no such standard model.
        UsageError: a function that does not exist, or that a worker cannot import.
    """
    if not isinstance(make_model, str):
        return _function_name(make_model)
    if ":" not in make_model:
        name = make_model or task.models[0]
        parse(name)
        return name
    return function_reference(make_model)


def function_reference(text: str) -> str:
    """The reference that a user typed, with the whole path of a file.

    Raises:
        UsageError: it names nothing that can be called.
    """
    where, _, name = text.rpartition(":")
    reference = f"{Path(where).absolute()}:{name}" if where.endswith(".py") else text
    if not callable(function_of(reference)):
        raise UsageError(f"{text} cannot be called", expected="a function or class", remedy="name one")
    return reference


def _function_name(make_model: object) -> str:
    if not callable(make_model) or isinstance(make_model, nn.Module):
        raise UsageTypeError(
            f"make_model is a {type(make_model).__name__}",
            expected="a function that makes a new model, so that every trial has its own",
            remedy="pass the function or class, not a model",
        )
    return name_of(make_model)


def inits_data(inits: Inits) -> dict[str, dict[str, Any]]:
    """Label of each init to its data; equal labels are numbered."""
    if isinstance(inits, str):
        raise UsageTypeError(
            f"inits is the text {inits!r}", expected="a list of inits", remedy=f"pass [{inits!r}, ...]"
        )
    if isinstance(inits, Mapping):
        return {str(label): init_data(one) for label, one in inits.items()}
    found: dict[str, dict[str, Any]] = {}
    for one in inits:
        data = init_data(one)
        if data in found.values():
            raise UsageError(
                f"the init {init_label(data)!r} is given twice",
                expected="different ones",
                remedy="leave one out",
            )
        label = init_label(data)
        same = sum(known == label or known.startswith(f"{label} #") for known in found)
        found[f"{label} #{same + 1}" if same else label] = data
    return found
