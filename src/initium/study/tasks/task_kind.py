"""The record of a kind of task: all that the library knows of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from initium.study.tasks.samples import Samples, TargetForm
from initium.study.tasks.task import Goal


class Embedded(NamedTuple):
    """Data that come with the library: samples to learn from and to be judged by, and the names of their classes."""

    train: Samples
    test: Samples
    classes: tuple[str, ...]


@dataclass(frozen=True)
class TaskKind:
    """One kind of task.

    Args:
        goal: what a target is, what is minimized and what is scored; its `kind` is the record's name.
        targets: what data say of a picture, which decides the formats that hold such data: "labels" (a folder a class),
            "boxes" (COCO, VOC) or "masks" (COCO, VOC, folders of masks), and for all three a torch Dataset.
        steps: updates of a trial where none are given; a trial of some seconds.
        batch_size: samples of an update where none are given.
        models: names of standard models that fit; the first one is the default.
        embedded: opens the data that come with the library; None if there are none.
    """

    goal: Goal
    targets: TargetForm
    steps: int
    batch_size: int
    models: tuple[str, ...]
    embedded: Callable[[], Embedded] | None = None

    @property
    def name(self) -> str:
        """As users ask for it."""
        return self.goal.kind
