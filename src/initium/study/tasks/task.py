"""A task: data, a goal and standard models; what a trial trains on and is judged by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from initium.errors import InitiumError, UsageError
from initium.random import Uniform, fill_, key_for
from initium.study.tasks.models.by_name import make_model
from initium.study.tasks.samples import Batch, Samples

EVALUATED_AT_ONCE = 250
CHECKED = 4
"""Samples that a model is tried on before the first trial."""


class Goal(Protocol):
    """What is to be learned: the part of a task that knows what a target is.

    Args:
        kind: its name, such as "classification".
        metric: name of the score; higher is better, 1 is perfect, 0 is nothing.
    """

    @property
    def kind(self) -> str:
        """Which task it is."""
        ...

    @property
    def metric(self) -> str:
        """Name of the score."""
        ...

    def outputs(self, num_classes: int) -> int:
        """How many output channels a model needs."""
        ...

    def ceiling(self, num_classes: int) -> float:
        """About twice the loss of a model that knows nothing: what the loss of a failed run counts as."""
        ...

    def loss(self, output: Any, batch: Batch) -> Tensor:
        """The scalar that is minimized."""
        ...

    def run(self, model: nn.Module, batch: Batch) -> Any:
        """The model's output in training, as `loss` takes it."""
        ...

    def check_output(self, output: Any, batch: Batch, num_classes: int) -> None:
        """Raises UsageError unless the output has a shape that `loss` can use."""
        ...

    def score(self, model: nn.Module, batches: Iterator[Batch], num_classes: int) -> Scores:
        """Metric and loss of a model in evaluation mode."""
        ...


@dataclass(frozen=True)
class Scores:
    """How a model does on a set of samples."""

    metric: float
    loss: float


@dataclass(frozen=True, eq=False)
class Probe:
    """One batch as `record`, `diagnose` and `plan` take it: pass it on with `**vars(probe)`."""

    inputs: Tensor
    forward: Callable[[nn.Module, Any], Any]
    loss: Callable[[Any], Tensor]


@dataclass(frozen=True, eq=False)
class Task:
    """Data and what is to be learned from it.

    Args:
        goal: what is to be learned.
        train: samples that are learned from.
        test: samples that the final score is taken on.
        classes: names of the classes, in the order of their numbers.
        source: plain data that `open_task` makes the same task from, in any process.
        models: names of standard models that fit; the first one is the default.
        steps: updates of a trial where a study is given none; None is the kind's own.
        batch_size: the same for samples of an update.
    """

    goal: Goal
    train: Samples
    test: Samples
    classes: tuple[str, ...]
    source: Mapping[str, Any]
    models: tuple[str, ...]
    steps: int | None = None
    batch_size: int | None = None

    @property
    def kind(self) -> str:
        """What is to be learned, such as "classification"."""
        return self.goal.kind

    @property
    def metric(self) -> str:
        """Name of the score; higher is better."""
        return self.goal.metric

    @property
    def ceiling(self) -> float:
        """About twice the loss of a model that knows nothing; see `Goal.ceiling`."""
        return self.goal.ceiling(len(self.classes))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture."""
        channels, height, width = self.train.take(torch.tensor([0])).inputs.shape[1:]
        return channels, height, width

    def make_model(self, name: str = "") -> nn.Module:
        """A standard model by name, for this task's pictures and classes; "" is the default one."""
        return make_model(name or self.models[0], self.shape, self.goal.outputs(len(self.classes)))

    def batches(self, *, seed: int, batch_size: int, num_steps: int) -> Iterator[Batch]:
        """Training batches: every sample once an epoch, in an order that only the seed decides."""
        for indices in data_order(len(self.train), seed=seed, batch_size=batch_size, num_steps=num_steps):
            yield self.train.take(indices)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The loss of a model on a batch, to be minimized."""
        return self.goal.loss(self.goal.run(model, batch), batch)

    def evaluate(self, model: nn.Module, *, on_train: bool = False, max_samples: int | None = None) -> Scores:
        """Metric and loss in evaluation mode, without gradient; the model's mode is put back.

        Args:
            model: is evaluated.
            on_train: on the training samples instead of the test samples.
            max_samples: at most so many, evenly over all of them.
        """
        samples = self.train if on_train else self.test
        modes = {module: module.training for module in model.modules()}
        model.eval()
        try:
            with torch.no_grad():
                return self.goal.score(model, _evenly(samples, max_samples), len(self.classes))
        finally:
            for module, mode in modes.items():
                module.training = mode

    def probe(self, num_samples: int = 32, *, seed: int = 0) -> Probe:
        """One training batch in the form that `record`, `diagnose`, `plan` and `init_` take.

        Example:
            >>> import initium
            >>> from initium.study.tasks import open_task
            >>> task = open_task({"kind": "classification"})
            >>> model = task.make_model("mlp8-relu")
            >>> initium.init_(model, **vars(task.probe())).verdict
            'healthy'
        """
        num = min(num_samples, len(self.train))
        batch = next(self.batches(seed=seed, batch_size=num, num_steps=1))
        return Probe(
            batch.inputs,
            lambda model, inputs: self.goal.run(model, Batch(inputs, batch.targets)),
            lambda output: self.goal.loss(output, batch),
        )

    def check_model(self, model: nn.Module, *, batch_size: int = CHECKED) -> None:
        """A few samples through the model in both modes, to find before the first trial that it does not fit.

        Raises:
            UsageError: the model raises, its output does not fit, or its loss is not finite or has no gradient.
        """
        num = min(CHECKED, batch_size, len(self.train))
        batch = next(self.batches(seed=0, batch_size=num, num_steps=1))
        with _unchanged(model):
            with _told(model, batch, ""):
                output = self.goal.run(model, batch)
                self.goal.check_output(output, batch, len(self.classes))
                loss = self.goal.loss(output, batch)
            self._check_loss(model, loss)
            with _told(model, batch, "in evaluation mode: "):
                self.evaluate(model, max_samples=num)

    def _check_loss(self, model: nn.Module, loss: Tensor) -> None:
        name = f"{type(model).__name__} on the {self.kind} task"
        if not bool(torch.isfinite(loss)):
            raise UsageError(
                f"the first loss of {name} is {float(loss.detach())}",
                expected="a finite number",
                remedy="run initium.diagnose(model, **vars(task.probe())) to see where it stops being finite",
            )
        if not loss.requires_grad:
            raise UsageError(
                f"the loss of {name} has no gradient",
                expected="an output that depends on parameters with requires_grad=True",
                remedy="unfreeze what is to be trained, and leave detach() and no_grad() out on the way to the output",
            )


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Puts the buffers of a model and torch's generator back afterwards."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])


@contextmanager
def _told(model: nn.Module, batch: Batch, mode: str) -> Iterator[None]:
    """Errors of a model as errors of ours, with the mode that it was run in."""
    try:
        yield
    except InitiumError as error:
        error.seen = f"{mode}{error.seen}"
        raise
    except Exception as error:
        raise UsageError(
            f"{mode}{type(model).__name__} raised {type(error).__name__}: {error}",
            expected=f"a model that takes a batch of shape {tuple(batch.inputs.shape)}",
            remedy="make the model for this task's pictures, or change the size of the pictures or of the batch",
        ) from error


def data_order(num: int, *, seed: int, batch_size: int, num_steps: int) -> Iterator[Tensor]:
    """Indices of `num_steps` batches: epochs of keyed permutations, cut into batches that run on across epochs."""
    rest = torch.empty(0, dtype=torch.int64)
    epoch = 0
    for _ in range(num_steps):
        while len(rest) < batch_size:
            draws = fill_(torch.empty(num), Uniform(0.0, 1.0), key_for(seed, f"data order {epoch}"))
            rest, epoch = torch.cat([rest, draws.argsort(stable=True)]), epoch + 1
        yield rest[:batch_size]
        rest = rest[batch_size:]


def _evenly(samples: Samples, max_samples: int | None) -> Iterator[Batch]:
    """Samples in their order, so many of them evenly over all: neighbours are often of one class."""
    num = min(len(samples), max_samples or len(samples))
    for indices in torch.split(torch.arange(num) * len(samples) // num, EVALUATED_AT_ONCE):
        yield samples.take(indices)
