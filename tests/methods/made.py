"""One line from a method's name to a tensor."""

from __future__ import annotations

import torch

from initium.methods.catalogue import find
from initium.random.fill import fill_
from initium.random.key import key_for


def made(name, layer, seed=0, **params):
    """The tensor that the method gives for the layer under a seed."""
    return fill_(torch.empty(layer.shape), find(name)(layer, **params), key_for(seed, "made"))
