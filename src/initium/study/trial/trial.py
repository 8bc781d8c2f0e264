"""A trial: a pure function of its spec that builds a model, starts it, trains it and says how it did."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Self

import torch
from torch import nn

from initium.codec import from_data, to_data
from initium.engines import function_of
from initium.errors import UsageError
from initium.study.tasks import Scores, Task, open_task
from initium.study.trial.inits import Health, health, start
from initium.study.trial.spec import TrialSpec

FINAL = 10
"""Steps whose mean loss is the final one."""
EXPLODED = 5.0
"""A run whose recent loss is this many ceilings is stopped as diverged."""
STORED_CURVE_POINTS = 256
"""Points that a stored loss curve has at most."""
PROBED = 32
"""Samples that an init may look at."""


@dataclass(frozen=True)
class TrialResult:
    """How a trial went.

    Args:
        losses: training loss, one number a step, or the means of as many equal stretches of steps.
        area: mean over all steps of the training loss; losses above the task's ceiling count as the ceiling.
        final_loss: mean training loss of the last 10 steps, under the same ceiling.
        metric: score on the test samples after the last step; 0 for a run that diverged.
        test_loss: loss on the test samples, under the same ceiling.
        diverged: whether the loss was not finite or exploded; the run was stopped then.
        steps_done: steps that were taken.
        seconds: time of the steps alone.
        health: of the model before its first step.
        train_metric: score on as many training samples as there are test samples; None in results of older versions.
    """

    losses: tuple[float, ...]
    area: float
    final_loss: float
    metric: float
    test_loss: float
    diverged: bool
    steps_done: int
    seconds: float
    health: Health
    train_metric: float | None = None

    def to_data(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return dict(to_data(self))

    @classmethod
    def from_data(cls, data: object) -> Self:
        """The result that `to_data` wrote.

        Raises:
            UsageError: the data are none.
        """
        return from_data(cls, data)


def run_trial(data: dict[str, Any]) -> dict[str, Any]:
    """Runs the trial that `TrialSpec.to_data` describes and returns `TrialResult` data; the work of an engine.

    The same data give the same result (but for `seconds`) in any process. torch's generator, threads and treatment of
    denormals are the caller's again afterwards.

    Example:
        >>> from initium.study.trial.spec import TrialSpec
        >>> spec = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"}, steps=30)
        >>> result = run_trial(spec.to_data())
        >>> result["diverged"], result["health"]["verdict"], result["final_loss"] < 1.5
        (False, 'healthy', True)
    """
    spec = TrialSpec.from_data(data)
    with surroundings(spec.threads):
        task = opened_of(spec)
        model = build(spec, task)
        chosen = start(model, spec.init, task.probe(PROBED, seed=spec.seed), seed=spec.seed)
        state = health(model, task.probe(PROBED, seed=-1 - spec.seed), seed=spec.seed, chosen=chosen)
        losses, seconds = train(model, task, spec)
        return _result(model, task, spec, losses, seconds, state).to_data()


@contextmanager
def surroundings(threads: int) -> Iterator[None]:
    """Puts torch's generator, number of threads and treatment of denormals back afterwards; flushes denormals."""
    before, flushed = torch.get_num_threads(), flushes_denormals()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(before)


def flushes_denormals() -> bool:
    """Whether this thread takes the smallest numbers for zero."""
    return float(torch.tensor(1e-40) * 0.5) == 0.0


def opened_of(spec: TrialSpec) -> Task:
    """The task of a trial."""
    return _opened(json.dumps(dict(spec.task), sort_keys=True))


@lru_cache(maxsize=4)
def _opened(source: str) -> Task:
    """The task that a JSON text describes; kept, since a process may run many trials of it."""
    return open_task(json.loads(source))


def build(spec: TrialSpec, task: Task) -> nn.Module:
    """The model as its maker starts it, with torch's generator seeded by the trial.

    Raises:
        UsageError: it cannot be made.
    """
    torch.default_generator.manual_seed(spec.seed)
    if ":" not in spec.model:
        return task.make_model(spec.model)
    make = function_of(spec.model)
    try:
        model = make(**spec.model_args)
    except Exception as error:
        raise UsageError(
            f"{spec.model} raised {type(error).__name__}: {error}",
            expected="a function that returns a model when it is called with the given arguments",
            remedy="give its arguments (model_args, or --arg key=value), or correct it",
        ) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"{spec.model} returned a {type(model).__name__}",
            expected="a torch.nn.Module",
            remedy="name the function or class that makes the model",
        )
    return model


def train(model: nn.Module, task: Task, spec: TrialSpec) -> tuple[list[float], float]:
    """Trains and returns the loss of every step that was taken, the last of them not finite or huge if it diverged."""
    torch.default_generator.manual_seed(spec.seed)  # dropout draws the same numbers whatever the init drew
    parameters = [one for one in model.parameters() if one.requires_grad]
    optimizer = make_optimizer(parameters, spec)
    model.train()
    losses: list[float] = []
    begin = time.perf_counter()
    for batch in task.batches(seed=spec.seed, batch_size=spec.batch_size, num_steps=spec.steps):
        loss = task.loss(model, batch)
        losses.append(float(loss.detach()))
        if is_diverged(losses, task.ceiling):
            break
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if spec.optimizer == "sgd":
            nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return losses, time.perf_counter() - begin


def make_optimizer(parameters: list[nn.Parameter], spec: TrialSpec) -> torch.optim.Optimizer:
    """The optimizer that a spec names."""
    if spec.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=spec.lr, momentum=0.9)
    fused = all(one.is_floating_point() for one in parameters)
    return torch.optim.AdamW(parameters, lr=spec.lr, fused=fused)


def is_diverged(losses: list[float], ceiling: float) -> bool:
    """Whether the last loss is not finite, or recent ones are far above what a model that knows nothing has."""
    if not math.isfinite(losses[-1]):
        return True
    recent = losses[-FINAL:]
    return len(losses) >= 2 * FINAL and sum(recent) / len(recent) > EXPLODED * ceiling


def _result(
    model: nn.Module, task: Task, spec: TrialSpec, losses: list[float], seconds: float, state: Health
) -> TrialResult:
    ceiling = task.ceiling
    diverged = is_diverged(losses, ceiling)
    scores = seen = Scores(0.0, ceiling)
    if not diverged:
        scores, seen = task.evaluate(model), task.evaluate(model, on_train=True, max_samples=len(task.test))
    bounded = [min(loss, ceiling) if math.isfinite(loss) else ceiling for loss in losses]
    bounded += [ceiling] * (spec.steps - len(bounded))
    last = bounded[-FINAL:]
    return TrialResult(
        losses=curve([loss for loss in losses if math.isfinite(loss)]),
        area=sum(bounded) / len(bounded),
        final_loss=ceiling if diverged else sum(last) / len(last),
        metric=scores.metric,
        test_loss=min(scores.loss, ceiling) if math.isfinite(scores.loss) else ceiling,
        diverged=diverged,
        steps_done=len(losses),
        seconds=seconds,
        health=state,
        train_metric=seen.metric,
    )


def curve(losses: list[float]) -> tuple[float, ...]:
    """The losses, six digits of each; of more than `STORED_CURVE_POINTS` the means of that many equal stretches."""
    num = min(len(losses), STORED_CURVE_POINTS)
    edges = [len(losses) * i // num for i in range(num + 1)] if num else [0]
    parts = [losses[low:high] for low, high in pairwise(edges)]
    return tuple(float(f"{sum(part) / len(part):.6g}") for part in parts)
