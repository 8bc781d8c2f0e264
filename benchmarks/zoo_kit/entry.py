"""One member of the zoo: how to build it from random weights and what to feed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Inputs = torch.Tensor | tuple[Any, ...] | dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A model family's small member.

    Args:
        name: `library:model`.
        family: the module of the library that defines it.
        make: builds the model from random weights; nothing is downloaded.
        feed: (batch, seed) to what `initium.record` and `diagnose` take as inputs.
        train: whether it is measured in training mode (drop-out is off in either).
        reason: why it cannot be built here; empty when it can.
    """

    name: str
    family: str
    make: Callable[[], nn.Module]
    feed: Callable[[int, int], Inputs]
    train: bool = True
    reason: str = ""

    def build(self, seed: int = 0) -> nn.Module:
        """The model in its mode with drop-out off; torch's own seed is restored afterwards."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.make()
        return drop_out_off(model).train(self.train)

    def inputs(self, batch: int = 4, seed: int = 0) -> Inputs:
        """Inputs made of real photographs: a tensor, positional arguments or keyword arguments."""
        return self.feed(batch, seed)


def drop_out_off(model: nn.Module) -> nn.Module:
    """Sets every drop-out and stochastic-depth rate of the model to zero, in place."""
    for module in model.modules():
        names = vars(module)
        if "drop" in type(module).__name__.lower() or "stochasticdepth" in type(module).__name__.lower():
            for rate in ("p", "drop_prob", "prob", "drop_rate"):
                if isinstance(names.get(rate), float):
                    setattr(module, rate, 0.0)
        for rate in names:
            if "dropout" in rate and isinstance(names[rate], float):
                setattr(module, rate, 0.0)
    return model
