"""The only place that writes weights: in place, all or nothing, and looked at afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from initium.errors import ApplyError, InitiumError, PlanMismatchError, UsageTypeError
from initium.plan.records.assignment import Assignment
from initium.plan.records.receipt import Entry, Receipt
from initium.random import Draw, fill_many_, key_for
from initium.random.checks import overlaps
from initium.random.sharding import is_dtensor
from initium.record.parameters.inventory import check_lazy, named_tensors, original
from initium.record.parameters.marks import mark_values
from initium.report import some


def apply_assignments(model: nn.Module, assignments: Sequence[Assignment], *, seed: int = 0) -> Receipt:
    """Write every assignment's draw into the model's own tensors.

    Optimizers, ties and parametrizations survive, since no parameter is replaced.

    Raises:
        PlanMismatchError: names or shapes differ from the plan's.
        ApplyError: what was written is not what was planned; the model is as it was.
    """
    model = check_target(model)
    parameters = named_tensors(model)
    match(parameters, assignments)
    changing = [one for one in assignments if not one.keeps]
    with rollback(parameters, [one.name for one in changing]):
        write(parameters, changing, seed)
        entries = tuple(_entry(one, parameters[one.name]) for one in assignments)
        # Inside the rollback: what fails here must not stay written.
        for one, entry in zip(assignments, entries, strict=True):
            if not one.keeps:
                _verify(one, entry)
    mark(model, changing)
    return Receipt(type(model).__name__, seed, entries)


def check_target(model: object) -> nn.Module:
    """The module to write to (the original of a compiled one), or a clear error."""
    if not isinstance(model, nn.Module):
        raise UsageTypeError(
            f"model is a {type(model).__name__}",
            expected="a torch.nn.Module instance",
            remedy="pass the model that the plan was made for",
        )
    model = original(model)
    check_lazy(model)
    return model


def match(
    parameters: Mapping[str, Tensor], assignments: Sequence[Assignment], *, storage: bool = True
) -> None:
    """Raise unless the plan and the model have the same parameters with the same shapes."""
    planned = {one.name: one for one in assignments}
    missing, extra = sorted(planned.keys() - parameters.keys()), sorted(parameters.keys() - planned.keys())
    if missing or extra:
        raise PlanMismatchError(
            f"the plan and the model differ: only in the plan {some(missing) or 'none'}; "
            f"only in the model {some(extra) or 'none'}",
            expected="the model that the plan was made for",
            remedy="make a plan for this model: initium.plan(model, inputs)",
        )
    for name, one in planned.items():
        if one.layer.shape != tuple(parameters[name].shape):
            raise PlanMismatchError(
                f"parameter {name!r} has shape {tuple(parameters[name].shape)}",
                expected=f"shape {one.layer.shape}, as in the plan",
                remedy="make a plan for this model: initium.plan(model, inputs)",
            )
        if storage and parameters[name].is_meta and not one.keeps:
            raise PlanMismatchError(
                f"parameter {name!r} is on the meta device and holds no values",
                expected="a model with storage",
                remedy="use plan.materialize(model), which gives it storage and fills it",
            )


def write(parameters: Mapping[str, Tensor], assignments: Sequence[Assignment], seed: int) -> None:
    """Fill the parameters with their draws, keyed by seed and name."""
    fill_all({one.name: (parameters[one.name], one.draw()) for one in assignments}, seed)


def fill_all(jobs: Mapping[str, tuple[Tensor, Draw]], seed: int) -> None:
    """Fill tensors by name; what torch itself refuses (a constant beyond the dtype's range) is an ApplyError."""
    try:
        fill_many_([(tensor.detach(), draw, key_for(seed, name)) for name, (tensor, draw) in jobs.items()])
    except InitiumError:
        raise
    except RuntimeError as error:
        kinds = ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor, _ in jobs.values()}))
        raise ApplyError(
            f"torch refused to write the draws into parameters of type {kinds}: {error}",
            expected="values within the range of the dtype, and memory for them",
            remedy="check the parameters of the methods in the plan, or use a wider dtype",
        ) from error


@contextmanager
def rollback(
    parameters: Mapping[str, Tensor], names: Sequence[str], *, always: bool = False
) -> Iterator[None]:
    """Put the named parameters back if the body raises (or in any case)."""
    # Elements that share memory are refused by every fill, so there is nothing to put back.
    saved = {name: parameters[name].detach().clone() for name in names if not overlaps(parameters[name])}
    try:
        yield
    except BaseException:  # Ctrl-C, too, must not leave half a model
        _restore(parameters, saved)
        raise
    if always:
        _restore(parameters, saved)


def mark(model: nn.Module, assignments: Sequence[Assignment]) -> None:
    """Mark what was written as ours, and flag it so that the transformers library does not initialize it again.

    The flag alone would read as a checkpoint's, and the next plan would keep every value of this one.
    """
    parameters = named_tensors(model)
    for one in assignments:
        parameters[one.name]._is_hf_initialized = True  # type: ignore[attr-defined]
    mark_values(model, [one.name for one in assignments], "initium")


@torch.no_grad()
def _restore(parameters: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    for name, value in saved.items():
        parameters[name].detach().copy_(value)


@torch.no_grad()
def _entry(one: Assignment, tensor: Tensor) -> Entry:
    if tensor.is_meta or tensor.numel() == 0:
        return Entry(one.name, one.method, one.rule, 0.0, 0.0)
    values = tensor.detach()
    values = values.abs() if values.is_complex() else values
    # In fp16 the sum of a large tensor overflows, and integers have no mean of their own type.
    wide = torch.float32 if values.is_floating_point() else torch.float64
    mean = _number(values.mean(dtype=wide))
    second = _number(torch.linalg.vector_norm(values.to(wide))) ** 2 / values.numel()
    # Rounding may leave a constant with a variance slightly below zero.
    return Entry(one.name, one.method, one.rule, mean, max(second - mean * mean, 0.0) ** 0.5)


def _number(value: Tensor) -> float:
    """A scalar of all ranks together: float() of a DTensor would be this rank's part of it."""
    return float(value.full_tensor() if is_dtensor(value) else value)


def _verify(one: Assignment, entry: Entry) -> None:
    finite = abs(entry.mean) < float("inf") and abs(entry.std) < float("inf")
    if not finite:
        raise ApplyError(
            f"parameter {one.name!r} holds mean {entry.mean}, std {entry.std} after {one.method}",
            expected="finite values",
            remedy="check the parameters of the method and the dtype's range; the model is as it was",
        )
