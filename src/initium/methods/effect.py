"""What a method does to the signal: forward and backward, from its law or from the energy that its record states."""

from __future__ import annotations

import math

from initium.methods.kit.energy import Effect, Energy, effect_of
from initium.methods.kit.law import law
from initium.methods.method import Method
from initium.random.distributions import Blocks, Draw
from initium.theory.fans import blocks
from initium.theory.layer import Layer


def effect(method: Method, layer: Layer, **params: object) -> Effect | None:
    """Mean square out over in and its like for gradients, as the method states them; None where it states nothing.

    For independent inputs of zero mean and equal variance, and independent output gradients likewise.

    Example:
        >>> from initium.methods.catalogue import find
        >>> effect(find("lecun_normal"), Layer("linear", (64, 256)))
        Effect(forward=1.0, backward=0.25)
        >>> effect(find("delta_orthogonal"), Layer("conv", (64, 32, 3, 3)))
        Effect(forward=0.5, backward=1.0)
    """
    stated = energy(method, layer, **params)
    return None if stated is None else effect_of(stated, layer)


def energy(method: Method, layer: Layer, **params: object) -> Energy | None:
    """The energy of the weight: stated on the record, else from the closed form of its elements."""
    if method.energy is None:
        return drawn_energy(method(layer, **params), math.prod(layer.shape))
    method(layer, **params)  # refuses what it cannot serve
    # Blocks are drawn each on its own, so their energies add up; a method that looks at blocks itself states the sum.
    values, parts = method.resolve(**params), (layer,) if method.whole else blocks(layer)
    total = Energy()
    for part in parts:
        total += method.energy(part, **values)
    return total


def drawn_energy(draw: Draw, count: int) -> Energy | None:
    """The energy of `count` elements with a law; of blocks, the sum of theirs."""
    known = law(draw)
    if known is not None:
        return Energy(even=count * (known.var + known.mean**2))
    if not isinstance(draw, Blocks):
        return None
    total, each = Energy(), count // sum(draw.sizes)
    for part, size in zip(draw.draws, draw.sizes, strict=True):
        one = drawn_energy(part, each * size)
        if one is None:
            return None
        total += one
    return total
