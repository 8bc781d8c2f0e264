"""Marks on modules: which values initium wrote, and which came from a checkpoint.

A mark lies in the `__dict__` of the module that owns the parameter, not on the parameter: `copy.deepcopy`, `.to` and
optimizers that replace parameters drop the attributes of a Parameter, and modules keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["initium", "checkpoint"]

ATTRIBUTE = "_initium_marks"


@dataclass(frozen=True, slots=True)
class Mark:
    """Who gave a parameter its value.

    Args:
        kind: "initium" for what a plan wrote, "checkpoint" for what was loaded.
        stale: whether the value has changed since.
    """

    kind: Kind
    stale: bool


def mark_values(model: nn.Module, names: Iterable[str], kind: Kind) -> None:
    """Mark the parameters of these names, with a fingerprint of the values that they hold now."""
    for name in names:
        path, _, own = name.rpartition(".")
        module = model.get_submodule(path)
        tensor = module._parameters.get(own)
        if tensor is not None:
            module.__dict__.setdefault(ATTRIBUTE, {})[own] = (kind, fingerprint(tensor))


def marks_of(model: nn.Module) -> Mapping[str, Mark]:
    """The marks of a model by the names of `named_parameters`."""
    return dict(_marks(model))


def _marks(model: nn.Module) -> Iterator[tuple[str, Mark]]:
    for path, module in model.named_modules():
        for own, (kind, print_of) in module.__dict__.get(ATTRIBUTE, {}).items():
            tensor = module._parameters.get(own)
            if tensor is not None:
                yield f"{path}.{own}".lstrip("."), Mark(kind, fingerprint(tensor) != print_of)


@torch.no_grad()
def fingerprint(tensor: Tensor) -> str:
    """A digest of a tensor's bits; "" where it has none to read.

    The sum of the bits as 64-bit integers, modulo 2^64: any single change moves it, and it costs one read of the
    memory, where a cryptographic hash of a large model would take longer than the draws.

    Example:
        >>> w = torch.arange(4.0)
        >>> before = fingerprint(w)
        >>> before == fingerprint(w.clone()), before == fingerprint(w.add_(1e-6))
        (True, False)
    """
    local = getattr(tensor, "_local_tensor", tensor).detach()
    if local.is_meta or local.layout != torch.strided or local.numel() == 0:
        return ""
    flat = local.contiguous().flatten()
    each = max(8 // flat.element_size(), 1)
    whole = flat.numel() // each * each
    if flat.storage_offset() % each:  # torch looks at 64 bits at a time only from a multiple of them on
        flat = flat.clone()
    try:
        total = int(flat[:whole].view(torch.int64).sum()) + int(flat[whole:].view(torch.uint8).sum())
    except RuntimeError:  # dtypes and subclasses whose bits torch does not show
        return ""
    return f"{tuple(local.shape)} {total & (2**64 - 1):016x}"
