"""A model without its normalization layers: the second column of the zoo's health table."""

from __future__ import annotations

import re

from torch import nn

NAMES = re.compile(
    r"(Batch|Layer|Group|Instance|Rms|RMS|Simple|Response|LocalResponse)Norm|^EvoNorm|^InplaceAbn"
)
"""Class names of normalization layers, of torch and of the libraries' own."""


def strip_norms(model: nn.Module) -> nn.Module:
    """Replaces every normalization layer in place by identity, or by the activation fused into it.

    Activations stop working in place: with nothing between, they would overwrite what another branch needs.
    """
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if is_norm(child):
                setattr(parent, name, activation_of(child))
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return model


def is_norm(module: nn.Module) -> bool:
    """Whether the module only normalizes (and perhaps activates)."""
    if not NAMES.search(type(module).__name__):
        return False
    return all(not list(child.parameters()) or is_norm(child) for child in module.children())


def activation_of(norm: nn.Module) -> nn.Module:
    """The activation that a fused layer applies after normalizing, or identity."""
    kind = type(norm).__name__
    if kind.startswith("EvoNorm"):
        return nn.SiLU() if getattr(norm, "apply_act", True) else nn.Identity()
    if kind == "FilterResponseNormTlu2d":
        return nn.ReLU()
    act = getattr(norm, "act", None)
    return act if isinstance(act, nn.Module) else nn.Identity()
