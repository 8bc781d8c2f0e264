"""What a plan looks at: the model's first run, or a record that was taken already."""

from __future__ import annotations

from torch import nn

from initium.errors import PlanMismatchError, UsageError
from initium.plan.auto.calibration_split import held_out
from initium.plan.policy import Need, Run
from initium.record.parameters.inventory import named_tensors
from initium.record.record import (
    Forward,
    Inputs,
    Loss,
    Record,
    alone,
    check_model,
    prepared,
)
from initium.report import some


def look(
    model: nn.Module | Record,
    inputs: Inputs | Record | None,
    needs: Need,
    *,
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> tuple[Run, Record, str]:
    """How a policy may run the model, the record of the model as found, and what was made up in place of inputs.

    Raises:
        UsageError: a record for a policy that must run the model, or of another model; bad inputs (see `record`).
        UsageTypeError: a record beside inputs, `forward` or `loss`.
        ModelRunError: the model raised.
    """
    taken = model if isinstance(model, Record) else inputs
    if isinstance(taken, Record):
        alone(taken, inputs if taken is model else None, forward, loss)
        given = None if isinstance(model, Record) else check_model(model)
        _check_record(taken, given, needs)
        return Run(given, seed=seed), taken, ""
    model = check_model(model)
    ready, made_up = prepared(model, taken, seed)
    run = Run(model, ready, ready, ready, forward, loss, seed)
    if needs == "held_out" and not any(parameter.is_meta for parameter in model.parameters()):
        run, seen = held_out(run)
    else:
        seen = run.record()
    return run, seen, made_up


def _check_record(seen: Record, model: nn.Module | None, needs: Need) -> None:
    """Raise unless a record is enough for the policy, and is one of the model."""
    is_meta = any(info.meta for info in seen.parameters)
    if needs == "data" or (needs == "held_out" and not is_meta):
        raise UsageError(
            f"a record of {seen.model}, and a policy that runs the model again to find or verify its scales",
            expected="the model and its inputs, since a record holds no tensor",
            remedy='pass initium.plan(model, inputs), or a policy that a record is enough for, such as "he_normal"',
        )
    if model is None:
        return
    theirs = {info.name: tuple(info.shape) for info in seen.parameters}
    mine = {name: tuple(tensor.shape) for name, tensor in named_tensors(model).items()}
    if theirs != mine:
        differing = sorted(name for name in theirs.keys() | mine.keys() if theirs.get(name) != mine.get(name))
        raise PlanMismatchError(
            f"the record and the model differ in the parameters {some(differing)}",
            expected="a record of this model",
            remedy="record it: initium.record(model, inputs), or pass the inputs themselves",
        )
