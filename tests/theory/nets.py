"""Growth of signals and gradients through real nets, to hold theory against."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from tests.nets import seeded
from torch import Tensor, nn

SAMPLES = 256


def logs(
    make: Callable[[], nn.Module], width: int, nets: int, *, centred: bool = False, samples: int = SAMPLES
) -> Tensor:
    """Log growth of the second moment of the signal, and of the gradient on its way back, (2, nets).

    Args:
        make: a net from `width` to `width`.
        width: of the net.
        nets: how many are drawn.
        centred: whether the mean of every unit over the samples is no signal.
        samples: in the batch.
    """
    return torch.tensor([_logs(make, width, seed, centred, samples) for seed in range(nets)]).T


def _logs(
    make: Callable[[], nn.Module], width: int, seed: int, centred: bool, samples: int
) -> tuple[float, float]:
    with seeded(seed):
        model = make()
        x = torch.randn(samples, width, requires_grad=True)
        out = model(x)
        back = torch.randn_like(out)
    (dx,) = torch.autograd.grad(out, x, back)
    return _ratio(out.detach(), x.detach(), centred), _ratio(dx, back, False)


def _ratio(one: Tensor, other: Tensor, centred: bool) -> float:
    first, second = (float((t - t.mean(0) if centred else t).square().mean()) for t in (one, other))
    return math.log(first / second)


def within(found: Tensor, expected: float, *, bias: float) -> bool:
    """Whether the mean lies within 4 standard errors, and a known bias, of what is expected."""
    error = float(found.std()) / math.sqrt(len(found))
    return abs(float(found.mean()) - expected) <= 4 * error + bias
