"""What would make every trial of a comparison fail, found before the first one runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initium.engines import Engine, Failed, Job, run
from initium.errors import InitiumError, UsageError
from initium.study.spec import TrialSpec
from initium.study.starts import start
from initium.study.trial import PROBED, build, opened_of, surroundings


def check_trials(base: TrialSpec, inits: Mapping[str, Mapping[str, Any]], engine: Engine) -> None:
    """Makes the model here, fits it to the task, applies every init once, and makes the model in a worker.

    Raises:
        UsageError: the first of these that went wrong.
    """
    with surroundings(base.threads):
        task = opened_of(base)
        task.check_model(build(base, task))
        for label, init in inits.items():
            model = build(base, task)
            try:
                start(model, init, task.probe(PROBED, seed=base.seed), seed=base.seed)
            except InitiumError as error:
                error.seen = f"init {label!r} on {base.model}: {error.seen}"
                raise
            except Exception as error:
                raise UsageError(
                    f"init {label!r} raised {type(error).__name__}: {error}",
                    expected="a function (model, probe, seed) that changes the model in place",
                    remedy="correct it, or leave it out",
                ) from error
    _check_worker(base, engine)


def _check_worker(base: TrialSpec, engine: Engine) -> None:
    for outcome in run(engine, make_only, [Job("check", base.to_data())]):
        if isinstance(outcome, Failed):
            raise UsageError(
                f"the model {base.model} cannot be made in a worker of the engine {engine.name!r}: {outcome.message}",
                expected="a model and data that a worker process can reach as this one does",
                remedy="put the function in a file or an installed package, and the data where every worker sees them",
            )


def make_only(data: dict[str, Any]) -> dict[str, Any]:
    """Opens the task and makes the model of a trial, and no more; the work of an engine."""
    spec = TrialSpec.from_data(data)
    with surroundings(spec.threads):
        task = opened_of(spec)
        task.check_model(build(spec, task))
    return {}
