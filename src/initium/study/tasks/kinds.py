"""Every kind of task, in one literal tuple, and the ways to find one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initium.errors import ContractError, unknown_name
from initium.study.tasks.embedded.garments import boxed_garments, garments, outlined_garments
from initium.study.tasks.goals.classification import Classification
from initium.study.tasks.goals.detection import Detection
from initium.study.tasks.goals.segmentation import Segmentation
from initium.study.tasks.loaders.loading import FORMATS
from initium.study.tasks.models.by_name import parse
from initium.study.tasks.task import Task
from initium.study.tasks.task_kind import TaskKind

TASK_KINDS: tuple[TaskKind, ...] = (
    TaskKind(
        Classification(),
        targets="labels",
        steps=150,
        batch_size=128,
        models=("cnn20-relu", "mlp8-relu", "mlp20-tanh", "cnn8-relu", "resnet12-nonorm", "resnet12", "vit6"),
        embedded=garments,
    ),
    TaskKind(
        Detection(),
        targets="boxes",
        steps=250,
        batch_size=16,
        models=("detector12",),
        embedded=boxed_garments,
    ),
    TaskKind(
        Segmentation(),
        targets="masks",
        steps=150,
        batch_size=16,
        models=("fcn9", "unet"),
        embedded=outlined_garments,
    ),
)


def kind_names() -> tuple[str, ...]:
    """The names of all kinds.

    Example:
        >>> kind_names()
        ('classification', 'detection', 'segmentation')
    """
    return tuple(kind.name for kind in TASK_KINDS)


def find_kind(name: object) -> TaskKind:
    """The kind of that name.

    Raises:
        UnknownNameError: there is none.
    """
    for kind in TASK_KINDS:
        if kind.name == name:
            return kind
    raise unknown_name("task", str(name), kind_names())


def kind_of_format(form: str) -> TaskKind:
    """The first kind that a format can hold."""
    return next(kind for kind in TASK_KINDS if kind.targets in FORMATS[form])


def kind_of_model(name: str) -> TaskKind:
    """The first kind that has a standard model of the same family.

    Raises:
        UnknownNameError: no such model.

    Example:
        >>> kind_of_model("unet3-gelu").name
        'segmentation'
    """
    family, _, _ = parse(name)
    return next(kind for kind in TASK_KINDS if family in [parse(one)[0] for one in kind.models])


def usual_length(task: Task) -> tuple[int, int]:
    """Updates of a trial, and samples of an update, where a study is given none.

    Raises:
        ContractError: the task is of another kind than those in the tuple, and does not say.
    """
    steps, batch_size = task.steps, task.batch_size
    for kind in TASK_KINDS:
        if kind.name == task.kind:
            steps, batch_size = steps or kind.steps, batch_size or kind.batch_size
    if steps is None or batch_size is None:
        raise ContractError(
            f"a task of the kind {task.kind!r}, which says no number of {'samples' if steps else 'steps'}",
            expected=f"one of the kinds {', '.join(kind_names())}, or a Task with `steps` and `batch_size`",
            remedy="make it with Task(..., steps=150, batch_size=128), or give steps and batch_size to the study",
        )
    return steps, batch_size


def metric_of(source: Mapping[str, Any]) -> str:
    """Name of the score of the task that a source opens."""
    known = {kind.name: kind.goal.metric for kind in TASK_KINDS}
    return str(source.get("metric") or known.get(str(source.get("kind", "")), "metric"))
