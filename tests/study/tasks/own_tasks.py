"""Tasks as somebody else would write them, for tests: found by name in every process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.study.tasks import Batch, Embedded, Scores, Task, TaskKind
from initium.study.tasks.samples import Pictures

NAMES = ("brightness",)


@dataclass(frozen=True)
class Brightness:
    """The mean of a picture is to be predicted: squared error against 1, its variance; the score is R^2, at least 0."""

    kind: str = "brightness"
    metric: str = "R squared"

    def outputs(self, num_classes: int) -> int:
        return num_classes

    def ceiling(self, num_classes: int) -> float:
        return 2.0

    def run(self, model: nn.Module, batch: Batch) -> Any:
        return model(batch.inputs)

    def loss(self, output: Any, batch: Batch) -> Tensor:
        return (output[:, 0] - batch.targets).square().mean()

    def check_output(self, output: Any, batch: Batch, num_classes: int) -> None:
        if tuple(output.shape) != (len(batch.inputs), num_classes):
            raise UsageError(
                f"the model's output has shape {tuple(output.shape)}",
                expected=f"({len(batch.inputs)}, {num_classes})",
                remedy="give the last layer one output",
            )

    def score(self, model: nn.Module, batches: Iterator[Batch], num_classes: int) -> Scores:
        wrong, total = 0.0, 0
        for batch in batches:
            output = self.run(model, batch)
            self.check_output(output, batch, num_classes)
            wrong += float(self.loss(output, batch)) * len(batch.inputs)
            total += len(batch.inputs)
        return Scores(min(1.0, max(0.0, 1 - wrong / total)), wrong / total)


def samples(num: int, seed: int) -> Pictures:
    """Noise whose mean differs from picture to picture; the targets are these means, of variance about 1."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(num, generator=generator)
    noise = torch.randn(num, 1, 14, 14, generator=generator)
    return Pictures(means.view(-1, 1, 1, 1) + noise, means)


def embedded() -> Embedded:
    return Embedded(samples(400, 0), samples(100, 1), NAMES)


KIND = TaskKind(
    Brightness(), targets="labels", steps=60, batch_size=32, models=("mlp8-relu",), embedded=embedded
)


def make_task() -> Task:
    return Task(
        Brightness(), *embedded(), source={"kind": "brightness", "function": f"{__name__}:make_task"},
        models=("mlp8-relu",), steps=60, batch_size=32,
    )  # fmt: skip


def no_task() -> int:
    return 3


def raises() -> Task:
    raise KeyError("labels")
