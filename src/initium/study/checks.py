"""What would make every trial of a comparison fail, found before the first one runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from initium.engines import Engine, Failed, Job, function_of, run
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
        try:
            task.check_model(build(base, task))
        except InitiumError as error:
            error.seen = f"{place(base.model)}: {error.seen}"
            raise
        for label, init in inits.items():
            model = build(base, task)
            try:
                start(model, init, task.probe(PROBED, seed=base.seed), seed=base.seed)
            except InitiumError as error:
                error.seen = f"init {label!r}{_at(init)} on {base.model}: {error.seen}"
                raise
            except Exception as error:
                raise UsageError(
                    f"init {label!r}{_at(init)} raised {type(error).__name__}: {error}",
                    expected="a function (model, probe, seed) that changes the model in place",
                    remedy="correct it, or leave it out",
                ) from error
    _check_worker(base, engine)


def place(reference: str) -> str:
    """File and line of the function that a reference names; the reference itself where there are none."""
    if ":" not in reference:
        return f"model {reference}"
    function, name = function_of(reference), reference.rpartition(":")[2]
    try:
        return f"{inspect.getsourcefile(function)}:{inspect.getsourcelines(function)[1]} ({name})"
    except (TypeError, OSError):
        return reference


def _at(init: Mapping[str, Any]) -> str:
    return f" ({place(str(init['function']))})" if init["kind"] == "function" else ""


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
