"""A scalar of any model output, so that a plain backward can be timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor


def tensors_of(output: object) -> Iterator[Tensor]:
    """Every floating-point tensor with a gradient in a nest of lists, tuples, mappings and records."""
    if isinstance(output, Tensor):
        if output.is_floating_point() and output.requires_grad:
            yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from tensors_of(value)
    elif isinstance(output, (list, tuple)):
        for value in output:
            yield from tensors_of(value)


def projected(output: object) -> Tensor:
    """A random projection of every output; scalars, such as a detector's losses, are summed as they are."""
    terms = [t if t.dim() == 0 else (t * torch.randn_like(t)).mean() for t in tensors_of(output)]
    if not terms:
        raise ValueError("the model returned no floating-point tensor with a gradient")
    return torch.stack([t.float() for t in terms]).sum()
