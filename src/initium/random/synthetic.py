"""Inputs made up from a shape: seeded noise, plain or with the statistics of photographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from initium.errors import UsageError, unknown_name
from initium.random.distributions import Normal
from initium.random.fill import fill_
from initium.random.key import key_for

Noise = Literal["gaussian", "natural"]
NOISES: tuple[Noise, ...] = ("gaussian", "natural")

SHARED = 0.9
"""Correlation of the colours of natural images, about the mean of their three pairs. evidence: D-colour-correlation."""


def synthetic(
    shape: Sequence[int], *, batch: int = 8, kind: Noise = "gaussian", seed: int = 0, name: str = "input"
) -> Tensor:
    """Inputs of a given shape, for a model that is to be looked at or planned before there are data.

    "gaussian" is N(0, 1). "natural" has what a convolution notices of photographs: power that falls as 1/f^2 with
    spatial frequency f, so that neighbours are alike and pictures differ in brightness, and channels that correlate
    by 0.9; its mean is 0 and its variance 1 over pictures. Several inputs are several calls, in a tuple or a dict,
    under different names.

    Args:
        shape: of one sample: (channels, height, width) for pictures, (channels, time, height, width) for clips.
        batch: number of samples.
        kind: "gaussian" or "natural".
        seed: of the draw.
        name: mixed into the key, so that several inputs differ.

    Returns:
        float32 of shape `(batch, *shape)`; element i depends on seed, name and shape alone, never on torch's generator.

    Raises:
        UnknownNameError: another kind.
        UsageError: a shape or batch that is not positive, or "natural" without two axes of space.

    Reference: Field (1987), JOSA A 4, for the spectrum.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3))
        >>> initium.diagnose(net, initium.synthetic((3, 32, 32), kind="natural")).verdict
        'healthy'
    """
    if kind not in NOISES:
        raise unknown_name("kind of noise", str(kind), NOISES)
    sizes = (batch, *shape)
    if not shape or min(sizes) < 1:
        raise UsageError(
            f"inputs of shape {tuple(shape)}, {batch} of them",
            expected="whole numbers above 0, the shape of one sample without the batch",
            remedy="give for example synthetic((3, 224, 224), batch=8)",
        )
    key = key_for(seed, f"synthetic.{name}")
    white = fill_(torch.empty(sizes), Normal(0.0, 1.0), key)
    if kind == "gaussian":
        return white
    if len(shape) < 3:
        raise UsageError(
            f"natural noise of shape {tuple(shape)}",
            expected="channels and at least two axes of space, as (3, 224, 224)",
            remedy='use kind="gaussian"',
        )
    common = fill_(
        torch.empty(batch, 1, *shape[1:]), Normal(0.0, 1.0), key_for(seed, f"synthetic.{name}.common")
    )
    mixed = math.sqrt(SHARED) * common + math.sqrt(1 - SHARED) * white if shape[0] > 1 else white
    return _falling(mixed)


def _falling(white: Tensor) -> Tensor:
    """White noise with amplitude 1/f over all axes behind the channels, of unit variance on average."""
    axes = tuple(range(2, white.dim()))
    sides = [white.shape[axis] for axis in axes]
    steps = [torch.fft.fftfreq(side, dtype=torch.float64) for side in sides]
    squares = torch.zeros(sides, dtype=torch.float64)
    for place, step in enumerate(steps):
        squares = squares + step.square().reshape([-1 if i == place else 1 for i in range(len(sides))])
    lowest = 1.0 / max(*sides, 2)
    amplitude = squares.sqrt().clamp_min(lowest).reciprocal()
    amplitude /= amplitude.square().mean().sqrt()
    spectrum = torch.fft.fftn(white.double(), dim=axes) * amplitude
    field: Tensor = torch.fft.ifftn(spectrum, dim=axes).real.float()
    return field
