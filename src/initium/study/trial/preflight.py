"""What would make the trials of a comparison fail, found before the first one runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from initium.engines import Engine, Failed, Job, function_of, run
from initium.engines.reference import place_of
from initium.errors import InitiumError, UsageError
from initium.study.trial.inits import start
from initium.study.trial.spec import TrialSpec, functions_of
from initium.study.trial.trial import PROBED, build, opened_of, surroundings


def check_trials(base: TrialSpec, inits: Mapping[str, Mapping[str, Any]], engine: Engine) -> None:
    """Makes the model here, fits it to the task, applies every init once, and finds all of it in a worker.

    Raises:
        UsageError: the first of these that went wrong.
    """
    with surroundings(base.threads):
        task = opened_of(base)
        try:
            task.check_model(build(base, task), batch_size=base.batch_size)
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
    _check_worker(base, inits, engine)


def place(reference: str) -> str:
    """File and line of the function that a reference names; the reference itself where there are none."""
    if ":" not in reference:
        return f"model {reference}"
    at = place_of(function_of(reference))
    return f"{at} ({reference.rpartition(':')[2]})" if at else reference


def _at(init: Mapping[str, Any]) -> str:
    return f" ({place(str(init['function']))})" if init["kind"] == "function" else ""


def _check_worker(base: TrialSpec, inits: Mapping[str, Mapping[str, Any]], engine: Engine) -> None:
    functions = {label: init["function"] for label, init in inits.items() if init["kind"] == "function"}
    data = {"spec": base.to_data(), "functions": functions}
    for outcome in run(engine, find_all, [Job("check", data, functions_of(base, inits.values()))]):
        if isinstance(outcome, Failed):
            raise UsageError(
                f"{place(base.model)}: a worker of the engine {engine.name!r} cannot begin a trial: {outcome.message}",
                expected="a model, inits and data that a worker process can reach as this one does",
                remedy="put functions in a file or an installed package, and the data where every worker sees them",
            )


def find_all(data: dict[str, Any]) -> dict[str, Any]:
    """Opens the task, makes and fits the model of a trial, finds the functions of inits; the work of an engine."""
    spec = TrialSpec.from_data(data["spec"])
    with surroundings(spec.threads):
        task = opened_of(spec)
        task.check_model(build(spec, task), batch_size=spec.batch_size)
    for label, reference in data["functions"].items():
        try:
            function_of(reference)
        except UsageError as error:
            error.seen = f"init {label!r}: {error.seen}"
            raise
    return {}
