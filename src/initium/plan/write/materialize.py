"""Give a meta-device model storage and fill it, every rank only the elements that it holds."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MethodType

import torch
from torch import Tensor, nn

from initium.errors import PlanMismatchError, UsageError
from initium.plan.records.assignment import Assignment
from initium.plan.write.apply import check_target, fill_all, mark, match
from initium.plan.write.buffers import rebuild_buffers, reset_buffers
from initium.random import Draw, fill_, key_for
from initium.record.parameters.inventory import aliases_of, named_tensors
from initium.report import some


class LostBufferWarning(UserWarning):
    """Buffers of a meta model that no method of its modules re-creates."""


def materialize_assignments(
    model: nn.Module,
    assignments: Sequence[Assignment],
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> nn.Module:
    """Fill a model whose parameters are on the meta device; each element is drawn once, where it lives.

    A parameter that the plan keeps cannot be kept, since it holds nothing: it is drawn like the values that were found
    when the plan was made (the same constant, or the same mean and spread).

    Raises:
        PlanMismatchError: names or shapes differ from the plan's.
        UsageError: the plan keeps a parameter of which nothing is known.

    Warns:
        LostBufferWarning: buffers that nothing re-creates.
    """
    model = check_target(model)
    parameters = named_tensors(model)
    match(parameters, assignments, storage=False)
    draws = {one.name: filling(one) for one in assignments}  # before any storage is made: it may raise
    fresh = {name for name, tensor in parameters.items() if tensor.is_meta}
    lost = {name for name, buffer in model.named_buffers() if buffer.is_meta}
    aliases = aliases_of(model)
    if fresh or lost:
        _allocate(model, torch.device(device), dtype)
        _tie(model, aliases)
    # Buffers before parameters: the resets that re-create them may draw parameters, which the plan then overwrites.
    missing = rebuild_buffers(model, lost, fresh)
    parameters = named_tensors(model)
    filled = [one for one in assignments if one.name in fresh or not one.keeps]
    fill_all({one.name: (parameters[one.name], draws[one.name]) for one in filled}, seed)
    mark(model, filled)
    if missing:
        warnings.warn(_lost(missing), LostBufferWarning, stacklevel=3)
    return model


def filling(one: Assignment) -> Draw:
    """The draw for a parameter without values: the plan's, or for a kept one what was found."""
    if not one.keeps:
        return one.draw()
    found = one.as_found()
    if found is None:
        raise UsageError(
            f"the plan keeps {one.name!r}, and nothing is known of its values",
            expected="a plan that was made from a model with values, or a rule for this parameter",
            remedy=f'make the plan with rules=[Rule(where="{one.name}", method=...)]',
        )
    return found


def _allocate(model: nn.Module, device: torch.device, dtype: torch.dtype | None) -> None:
    """Storage for everything on meta, without values; what has storage stays."""

    def empty(tensor: Tensor) -> Tensor:
        if not tensor.is_meta:
            return tensor
        wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        return torch.empty_like(tensor, device=device, dtype=wanted)

    model._apply(empty)  # type: ignore[no-untyped-call]


def _tie(model: nn.Module, aliases: Mapping[str, Sequence[str]]) -> None:
    """Share again what allocation has parted."""
    for name, others in aliases.items():
        parameter = model.get_parameter(name)
        for other in others:
            path, _, leaf = other.rpartition(".")
            model.get_submodule(path)._parameters[leaf] = parameter


def _lost(missing: Sequence[str]) -> str:
    return (
        f"buffers {some(missing, 5)} were on meta and no method of their modules re-creates them\n"
        "  expected: a module with reset_parameters() or the like, or buffers with storage\n"
        "  what to do: set them yourself before the first forward (position tables, rotary caches)"
    )


@dataclass(frozen=True)
class _Bound:
    """`reset_parameters` of one module: fills the module's own parameters as planned, and re-creates its buffers."""

    assignments: Mapping[str, Assignment]
    seed: int

    def __call__(self, module: nn.Module) -> None:
        if module._buffers:
            reset_buffers(module)
        for leaf, one in self.assignments.items():
            parameter = module._parameters.get(leaf)
            if parameter is None:
                raise PlanMismatchError(
                    f"{type(module).__name__} has no parameter {leaf!r}, which the plan fills as {one.name!r}",
                    expected="the parameters that the module had when the plan was bound",
                    remedy="call plan.bind(model) again after parameters were renamed or replaced",
                )
            fill_(parameter, filling(one), key_for(self.seed, one.name))


def bind_assignments(model: nn.Module, assignments: Sequence[Assignment], *, seed: int = 0) -> nn.Module:
    """Give every module that owns parameters a `reset_parameters()` that fills them as planned.

    FSDP, Lightning and torchtitan call it after they have given a meta model storage. A tied parameter is filled with
    the same bits under each of its names, since giving storage module by module parts it.
    """
    model = check_target(model)
    match(named_tensors(model), assignments, storage=False)
    aliases = aliases_of(model)
    groups: dict[str, dict[str, Assignment]] = {}
    for one in assignments:
        filling(one)  # what cannot be drawn is an error now, not deep inside a framework's start
        for name in (one.name, *aliases.get(one.name, ())):
            path, _, leaf = name.rpartition(".")
            groups.setdefault(path, {})[leaf] = one
    for path, members in groups.items():
        module = model.get_submodule(path)
        module.reset_parameters = MethodType(_Bound(members, seed), module)  # type: ignore[assignment]
    return model
