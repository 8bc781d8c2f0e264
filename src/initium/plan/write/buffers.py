"""Buffers of a meta model: no plan knows their values, so the modules are asked to make them again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from initium.plan.write.apply import rollback

BUFFER_METHODS = ("reset_running_stats", "init_non_persistent_buffers", "reset_buffers")
"""Methods by which modules re-create their buffers and nothing else."""

RESET_METHODS = ("reset_parameters", "_reset_parameters")
"""Methods that re-create buffers beside parameters; what they do to parameters is undone or overwritten by the plan."""


def rebuild_buffers(model: nn.Module, lost: set[str], fresh: set[str]) -> list[str]:
    """Ask the modules to re-create the buffers that were on meta; names of those that nothing touched.

    Parameters that are not `fresh`, and torch's random state, are as before afterwards.
    """
    buffers = dict(model.named_buffers())
    states = {name: _State.marked(buffers[name]) for name in lost}
    # Resets draw parameters as well, and the user's generator must not notice.
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for path in sorted({name.rpartition(".")[0] for name in lost}):
            own = {name: states[name] for name in lost if name.rpartition(".")[0] == path}
            _rebuild_module(model, path, own, fresh)
    buffers = dict(model.named_buffers())
    return sorted(name for name in lost if name in buffers and states[name].untouched(buffers[name]))


def _rebuild_module(model: nn.Module, path: str, states: dict[str, _State], fresh: set[str]) -> None:
    """Call the methods of one module until none of its buffers is as it was."""
    module, prefix = model.get_submodule(path), f"{path}." if path else ""
    parameters = {prefix + name: parameter for name, parameter in module.named_parameters()}
    # Fresh parameters hold nothing yet and are filled by the plan later: saving them would only cost memory.
    with rollback(parameters, [name for name in parameters if name not in fresh], always=True):
        for rebuild in _rebuilders(model, path):
            if not any(
                state.untouched(module._buffers[name.removeprefix(prefix)]) for name, state in states.items()
            ):
                break
            rebuild()
    # A reset may put a new tensor in place of the buffer, on the device and of the type that its code names.
    for name, state in states.items():
        leaf = name.removeprefix(prefix)
        made = module._buffers[leaf]
        if made is not None and made is not state.buffer:
            module._buffers[leaf] = made.to(state.buffer.device, state.buffer.dtype)


def _rebuilders(model: nn.Module, path: str) -> Iterator[Callable[[], object]]:
    """What may re-create the buffers of a module: its own methods, then the initializer of a model around it."""
    module = model.get_submodule(path)
    for name in BUFFER_METHODS + RESET_METHODS:
        method = getattr(module, name, None)
        if callable(method):
            yield method
    # An initializer of the whole model draws the parameters of what it is given: only where there are none to draw.
    if next(module.parameters(recurse=False), None) is None:
        parts = path.split(".") if path else []
        for length in range(len(parts), -1, -1):
            method = getattr(model.get_submodule(".".join(parts[:length])), "_init_weights", None)
            if (
                callable(method) and len(inspect.signature(method).parameters) == 1
            ):  # transformers' convention
                yield partial(method, module)


@dataclass(frozen=True)
class _State:
    """A buffer without values, filled with a mark that shows whether something has written to it."""

    buffer: Tensor
    version: int

    @classmethod
    def marked(cls, buffer: Tensor) -> _State:
        with torch.no_grad():
            buffer.fill_(_sentinel(buffer.dtype))
        return cls(buffer, buffer._version)

    def untouched(self, now: Tensor | None) -> bool:
        """Whether the buffer still is what it was; bool has no value to mark it with, only a version."""
        if now is not self.buffer or now._version != self.version or now.numel() == 0:
            return False
        if now.is_floating_point() or now.is_complex():
            return bool(now.isnan().all())
        return now.dtype == torch.bool or bool((now == _sentinel(now.dtype)).all())


def _sentinel(dtype: torch.dtype) -> float:
    if dtype.is_floating_point or dtype.is_complex:
        return float("nan")
    # A number that no reset writes: zeros, ones, -1 and the largest value are all in use as buffers.
    return 1 if dtype == torch.bool else torch.iinfo(dtype).max - 7


def reset_buffers(module: nn.Module) -> None:
    """Re-create buffers by the module's methods for them, else by its class's own reset."""
    methods = [getattr(module, name) for name in BUFFER_METHODS if callable(getattr(module, name, None))]
    if not methods:
        resets = [getattr(type(module), name, None) for name in RESET_METHODS]
        methods = [partial(reset, module) for reset in resets if callable(reset)]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for method in methods:
            method()
