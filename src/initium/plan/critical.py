"""The start of a long unaided chain: geometry and scale by the activation's shape, for any activation.

Measured on plain nets of 8 to 100 layers (benchmarks): what decides is whether the odd part of the activation is
linear (ReLU, GELU, SiLU, softplus: mirrored weights make the whole net linear at the start), whether it is odd
itself (tanh, sin: orthogonal weights, smaller signals the deeper), or neither (sigmoid, ELU: rows without mean).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from initium.plan.chains import Link
from initium.theory.gains import ACTIVATIONS
from initium.theory.layer import Layer

Shape = Literal["odd", "linear odd part", "with mean", "unknown"]

ODD_BUDGET = 12.0
"""Second moment times depth for odd activations: tanh nets of 8 to 100 layers train best near it."""
MEAN_BUDGET = 80.0
"""The same for centred weights, never past 4."""
ROOMY = 4.0
"""Second moment for smooth activations with a linear odd part: large enough to use their bend."""


@dataclass(frozen=True, slots=True)
class Start:
    """Method, parameters, the second moment to calibrate to, and why."""

    method: str
    target: float
    reason: str
    source: str
    params: dict[str, object] = field(default_factory=dict)


def start_of(link: Link, layers: dict[str, Layer]) -> Start:
    """The start of one weight on a chain, consistent with every other weight of it.

    Args:
        link: the weight's place.
        layers: layer of every weight on the chain.
    """
    shapes = {shape_of(kind) for kind in link.activations}
    depth = f"weight {link.place + 1} of {link.length} in a row"
    if shapes <= {"odd"}:
        q = min(1.0, ODD_BUDGET / link.length)
        reason = f"{depth} with an odd activation: orthogonal, and the deeper the smaller the signal"
        return Start(
            "orthogonal", _last(link, q), reason, "Saxe+ 2013, 1312.6120; Schoenholz+ 2017, 1611.01232"
        )
    if shapes <= {"linear odd part", "unknown"} and can_mirror(link, layers):
        q = 1.0 if all(_homogeneous(kind) for kind in link.activations) else ROOMY
        reason = (
            f"{depth}: paired units of opposite sign make the net linear at its start, so inputs stay apart"
        )
        params: dict[str, object] = {"position": link.position, "taps": "all"}
        return Start("mirrored", _last(link, q), reason, "Balduzzi+ 2017, 1702.08591", params)
    if "with mean" in shapes or shapes & {"linear odd part", "unknown"}:
        q = min(ROOMY, MEAN_BUDGET / link.length) if "with mean" in shapes else 1.0
        reason = f"{depth} with an activation that has a mean: rows without mean do not pass it on"
        return Start("centred_orthogonal", _last(link, q), reason, "Huang+ 2017; mean-field criticality")
    return Start(
        "orthogonal", 1.0, f"{depth}: orthogonal weights keep every direction", "Saxe+ 2013, 1312.6120"
    )


def can_mirror(link: Link, layers: dict[str, Layer]) -> bool:
    """Whether every width between the chain's weights is even, so that units can be paired."""
    return all(layers[name].num_out % 2 == 0 for name in link.chain[:-1]) and all(
        layers[name].num_in % 2 == 0 for name in link.chain[1:]
    )


def _last(link: Link, q: float) -> float:
    """The chain's last output goes to a head, a norm or a sum: unit scale."""
    return 1.0 if link.position == "last" else q


@lru_cache(maxsize=256)
def shape_of(kind: str) -> Shape:
    """How an activation treats z and -z, by evaluating it."""
    function = ACTIVATIONS.get(kind)
    if function is None:
        return "unknown"
    z = torch.linspace(0.05, 3.0, 60, dtype=torch.float64, device="cpu")
    plus, minus = function(z), function(-z)
    scale = float(plus.abs().max() + minus.abs().max())
    if float((plus + minus).abs().max()) < 1e-6 * scale:
        return "odd"
    return "linear odd part" if _is_linear(z, plus - minus) else "with mean"


def _is_linear(z: Tensor, odd: Tensor) -> bool:
    slope = float((z * odd).sum() / (z * z).sum())
    return slope > 1e-6 and float((odd - slope * z).abs().max()) < 0.06 * slope * float(z.max())


@lru_cache(maxsize=256)
def _homogeneous(kind: str) -> bool:
    function = ACTIVATIONS.get(kind)
    if function is None:
        return True  # unknown: the plain choice, unit signals
    z = torch.linspace(-3.0, 3.0, 61, dtype=torch.float64, device="cpu")
    return bool(math.isclose(float((function(2 * z) - 2 * function(z)).abs().max()), 0.0, abs_tol=1e-9))
