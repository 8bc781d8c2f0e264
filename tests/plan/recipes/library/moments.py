"""Values that a recipe draws, and how near their moments are to what is expected."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

import initium

ERRORS = 5.0
"""Standard errors: of a thousand normal numbers one in two thousand tests has a larger one."""


def started(model: nn.Module, inputs: Any, recipe: str, **more: Any) -> dict[str, Tensor]:
    """The parameters that the recipe sets, on a copy of the model that holds no initialization's values."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for one in model.parameters():
            one.copy_(torch.randn(one.shape) * 0.03 + 0.11)
    plan = initium.plan(model, inputs, policy=f"recipe:{recipe}", **more)
    plan.apply(model, seed=0)
    kept = {one.name for one in plan if one.keeps}
    return {name: one.detach() for name, one in model.named_parameters() if name not in kept}


def is_all(values: Tensor, number: float) -> bool:
    """Whether every value is this one, to rounding."""
    return bool((values - number).abs().max() <= 1e-6 * max(1.0, abs(number)))


def is_normal(values: Tensor, std: float) -> bool:
    """Whether mean, deviation and fourth moment are those of N(0, std^2); of a uniform one the last is 1.8, not 3."""
    flat, num = values.flatten().double(), values.numel()
    fourth = (flat / std).pow(4).mean().item()
    return (
        abs(flat.mean().item()) < ERRORS * std / math.sqrt(num)
        and abs(math.log(flat.square().mean().sqrt().item() / std)) < ERRORS / math.sqrt(2 * num)
        and abs(fourth - 3) < ERRORS * math.sqrt(96 / num)
    )


def is_uniform(values: Tensor, bound: float) -> bool:
    """Whether the values are within the bound and have the mean and the deviation of U(-bound, bound)."""
    flat, num = values.flatten().double(), values.numel()
    std = bound / math.sqrt(3)
    return (
        flat.abs().max().item() <= bound * (1 + 1e-6)
        and abs(flat.mean().item()) < ERRORS * std / math.sqrt(num)
        and abs(math.log(flat.square().mean().sqrt().item() / std)) < ERRORS * math.sqrt(0.8 / (4 * num))
    )


def unlike(found: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> list[str]:
    """Parameters whose constant, mean or spread differs from the reference's, beyond sampling error."""
    return [
        name for name, one in found.items() if not _alike(one.double(), reference[name].detach().double())
    ]


def _alike(one: Tensor, other: Tensor) -> bool:
    if not bool(other.ne(other.flatten()[0]).any()):
        return torch.allclose(one, other, atol=1e-6)
    # By each sample's own fourth moment; a few numbers may show less of one than a uniform law has.
    shapes = [max((x - x.mean()).pow(4).mean().item() / x.var().item() ** 2, 1.8) for x in (one, other)]
    errors = [(shape - 1) / (4 * x.numel()) for shape, x in zip(shapes, (one, other), strict=True)]
    mean = math.sqrt((one.var() / one.numel() + other.var() / other.numel()).item())
    return (
        abs((one.mean() - other.mean()).item()) <= ERRORS * mean
        and abs(math.log((one.std() / other.std()).item())) <= ERRORS * math.sqrt(sum(errors)) + 1e-6
    )
