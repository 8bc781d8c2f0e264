"""Leave no trace: everything a run of a model can change is put back, also after an exception."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_DICTS = (
    "_parameters",
    "_buffers",
    "_modules",
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)


@contextmanager
def untouched(model: nn.Module, *, seed: int) -> Iterator[None]:
    """Run the body with its own random streams, then restore buffers, gradients, attributes, modes and random states.

    Parameters are saved by the tape, before the first write to them.
    """
    modules = list(model.modules())
    attributes = [_attributes(module) for module in modules]
    # By identity, as one buffer may hang in several modules.
    buffers = {id(b): (b, b.detach().clone()) for b in model.buffers() if not b.is_meta}
    grads = [(p, p.grad, p.requires_grad) for p in model.parameters()]
    random_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - models may draw from it
    try:
        with torch.random.fork_rng(devices=_cuda_devices(model)):
            torch.manual_seed(seed)  # noqa: TID251 - of the fork, not of the user
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            for parameter, _, _ in grads:
                parameter.grad = None
            yield
    finally:
        random.setstate(random_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        for module, (plain, dicts) in zip(modules, attributes, strict=True):
            _restore_attributes(module, plain, dicts)
        with torch.no_grad():
            for buffer, saved in buffers.values():
                # Into the same tensor: optimizers, exports and other modules may hold it.
                buffer.copy_(saved)
        for parameter, grad, requires_grad in grads:
            parameter.grad = grad
            parameter.requires_grad_(requires_grad)


def restore_parameters(parameters: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Write back the parameters that a run overwrote."""
    with torch.no_grad():
        for name, value in saved.items():
            parameters[name].detach().copy_(value)


def _attributes(module: nn.Module) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    plain = dict(module.__dict__)
    return plain, {name: dict(plain[name]) for name in _DICTS if isinstance(plain.get(name), dict)}


def _restore_attributes(module: nn.Module, plain: dict[str, Any], dicts: dict[str, dict[str, Any]]) -> None:
    for name in [name for name in module.__dict__ if name not in plain]:
        del module.__dict__[name]
    module.__dict__.update(plain)
    for name, saved in dicts.items():
        current = module.__dict__[name]
        # The dicts stay the same objects, in the same order: hooks run in the order of their dict.
        if list(current) != list(saved) or any(current[key] is not value for key, value in saved.items()):
            current.clear()
            current.update(saved)


def _cuda_devices(model: nn.Module) -> list[int]:
    return sorted(
        {p.device.index for p in model.parameters() if p.device.type == "cuda" and p.device.index is not None}
    )
