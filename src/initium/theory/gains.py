"""Gains: what a nonlinearity does to the variance of a Gaussian signal, for any callable."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from initium.errors import UsageError, unknown_name

Activation = Callable[[Tensor], Tensor] | str
GainConvention = Literal["second_moment", "centred", "backward", "torch"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "relu_squared": lambda x: torch.relu(x).square(),
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "hardtanh": F.hardtanh,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "abs": torch.abs,
}
_SYNONYMS = {"linear": "identity", "swish": "silu", "relu2": "relu_squared", "none": "identity"}
_TORCH = {
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "leaky_relu": math.sqrt(2 / (1 + 0.01**2)),
    "selu": 0.75,
}
_INTEGRATED = 12.0  # the density of a standard normal at 12 is 2e-32
_MOST_PANELS = 20_000
_SPLIT = math.sqrt(2) - 1  # uneven, or a jump near a panel's middle looks the same to both halves


def _lobatto(count: int) -> tuple[Tensor, Tensor]:
    """Gauss-Lobatto nodes and weights: the ends are nodes, so no jump hides beyond the last one."""
    last = np.polynomial.legendre.Legendre.basis(count - 1)
    inner = np.sort(last.deriv().roots().real)
    nodes = np.concatenate([[-1.0], inner, [1.0]])
    weights = 2 / (count * (count - 1) * last(nodes) ** 2)
    # a hair inside the panel, so that a kink on its edge is seen from the panel's own side
    return torch.from_numpy(nodes * (1 - 1e-12)), torch.from_numpy(weights)


_NODES, _WEIGHTS = _lobatto(12)


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of f(z) for z ~ N(0, q).

    Args:
        m: mean of f.
        s: mean of f squared.
        v: variance of f, s - m^2.
        d: mean of the squared derivative.
    """

    m: float
    s: float
    v: float
    d: float


def gain(f: Activation, *, convention: GainConvention = "second_moment") -> float:
    """The factor on the weights' standard deviation that undoes what `f` does to a unit Gaussian.

    For z ~ N(0, 1): second_moment 1/sqrt(E f^2) (keeps the mean square of the signal), centred
    1/sqrt(Var f) (what norm-free nets use), backward 1/sqrt(E f'^2) (keeps the gradient), torch:
    the table of `torch.nn.init.calculate_gain`, for names only. They agree only for identity,
    ReLU and leaky ReLU (not centred).

    Args:
        f: a pointwise callable on float64 tensors, or a name such as "relu".
        convention: which of the four.

    Raises:
        UsageError: unknown convention or name, or `f` is not pointwise, or f has no such gain.

    Example:
        >>> round(gain("tanh"), 4), round(gain("tanh", convention="torch"), 4)
        (1.5925, 1.6667)
    """
    if convention == "torch":
        return _torch_gain(f)
    known: dict[str, Callable[[Moments], float]] = {
        "second_moment": lambda x: x.s,
        "centred": lambda x: x.v,
        "backward": lambda x: x.d,
    }
    if convention not in known:
        raise unknown_name("gain convention", convention, [*known, "torch"])
    power = known[convention](moments(f))
    if power < 1e-24:
        raise UsageError(
            f"gain of {_label(f)} by the {convention} convention",
            expected="a function that is not constant there",
            remedy="use another convention, or leave the layer at gain 1",
        )
    return 1 / math.sqrt(power)


def moments(f: Activation, q: float = 1.0) -> Moments:
    """Moments of `f` under N(0, q), by adaptive Gauss-Lobatto panels that close in on kinks.

    Args:
        f: a pointwise callable on float64 tensors (differentiated by autograd), or a name.
        q: variance of the pre-activation, positive.

    Returns:
        `Moments`, to about 1e-9 for kinked and 1e-13 for smooth functions.

    Raises:
        UsageError: unknown name, q not positive, or f is not pointwise, deterministic and finite.

    Example:
        >>> moments("relu").s
        0.5
    """
    if not (q > 0 and math.isfinite(q)):
        raise UsageError(f"variance q = {q}", expected="a positive number", remedy="pass q > 0")
    return _named_moments(f, float(q)) if isinstance(f, str) else _moments(f, float(q))


def canonical_name(name: str) -> str:
    """The key of `ACTIVATIONS` behind a name ("linear" is "identity"), or UnknownNameError."""
    key = _SYNONYMS.get(name.lower(), name.lower())
    if key not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return key


def activation(name: str) -> Callable[[Tensor], Tensor]:
    """The function behind a name, or UnknownNameError with the nearest ones."""
    return ACTIVATIONS[canonical_name(name)]


@functools.lru_cache(maxsize=512)
def _named_moments(name: str, q: float) -> Moments:
    return _moments(activation(name), q)


def _moments(f: Callable[[Tensor], Tensor], q: float) -> Moments:
    pointwise = checked(_doubled(f))
    start, scale = torch.linspace(-_INTEGRATED, _INTEGRATED, 25, dtype=torch.float64), math.sqrt(q)
    left, right, total = start[:-1], start[1:], torch.zeros(3, dtype=torch.float64)
    whole = _panels(pointwise, left, right, scale)
    for _ in range(80):
        middle = left + _SPLIT * (right - left)
        halves = _panels(pointwise, torch.cat([left, middle]), torch.cat([middle, right]), scale)
        first, second = halves.chunk(2)
        fine = (first + second - whole).abs().amax(1) <= 1e-14 + 1e-12 * whole.abs().amax(1)
        fine |= (right - left) < 1e-12
        total += (first + second)[fine].sum(0)
        rest = ~fine
        if not bool(rest.any()):
            break
        whole = torch.cat([first[rest], second[rest]])
        left, right = torch.cat([left[rest], middle[rest]]), torch.cat([middle[rest], right[rest]])
        if len(left) > _MOST_PANELS:
            raise _not_pointwise("has no end of jumps or is random", "a piecewise smooth function")
    else:
        total += whole.sum(0)
    m, s, d = (round(x, 14) for x in total.tolist())
    return Moments(m, s, max(s - m * m, 0.0), d)


def _panels(f: Callable[[Tensor], Tensor], left: Tensor, right: Tensor, scale: float) -> Tensor:
    """Integrals of f, f^2 and f'^2 against the normal density over each panel, (panels, 3)."""
    half = ((right - left) / 2)[:, None]
    z = ((right + left) / 2)[:, None] + half * _NODES
    x = (z * scale).requires_grad_()
    with torch.enable_grad():
        y = f(x)
        slope = _slope(y, x)
    y = y.detach()
    if not bool(torch.isfinite(y).all() & torch.isfinite(slope).all()):
        raise _not_pointwise("returned NaN or infinity", "a function finite on the whole real line")
    weight = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi) * half * _WEIGHTS
    return torch.stack([(y * weight).sum(1), (y * y * weight).sum(1), (slope * slope * weight).sum(1)], 1)


def _slope(y: Tensor, x: Tensor) -> Tensor:
    if not y.requires_grad:
        return torch.zeros_like(x)
    slope: Tensor | None = torch.autograd.grad(y.sum(), x, allow_unused=True)[0]
    return torch.zeros_like(x) if slope is None else slope


def _doubled(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A float64 copy of a module-like callable (PReLU has a weight); others as they are."""
    if hasattr(f, "parameters") and hasattr(f, "double"):
        double: Callable[[Tensor], Tensor] = copy.deepcopy(f).double()
        return double
    return f


def function_of(f: Activation) -> Callable[[Tensor], Tensor]:
    """The function behind a name, or the callable itself, ready for float64 (a PReLU has a weight).

    Example:
        >>> function_of(torch.nn.PReLU())(torch.tensor([-1.0], dtype=torch.float64)).item()
        -0.25
    """
    return activation(f) if isinstance(f, str) else _doubled(f)


def checked(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`f` guarded against in-place writes, after a test that it is pointwise and deterministic."""

    def guarded(x: Tensor) -> Tensor:
        y: object = f(x * 1.0)  # in-place functions need a tensor that is not a leaf
        if not isinstance(y, Tensor) or y.shape != x.shape:
            raise _not_pointwise(f"turned shape {tuple(x.shape)} into {_shape(y)}", "the same shape")
        return y

    probe = torch.linspace(-3, 3, 24, dtype=torch.float64).reshape(4, 6)
    try:
        with torch.no_grad():
            whole, part = guarded(probe), guarded(probe[::2, 1::2])
    except RuntimeError as error:
        raise _not_pointwise(
            f"raised {type(error).__name__}: {error}", "a function of tensors of any shape, in float64"
        ) from error
    if whole.dtype != probe.dtype:
        raise _not_pointwise(f"turned {probe.dtype} into {whole.dtype}", "the same dtype: float64 throughout")
    if not torch.allclose(whole[::2, 1::2], part, equal_nan=True):
        raise _not_pointwise("gave one element two values", "a pointwise, deterministic function")
    return guarded


def _not_pointwise(seen: str, expected: str) -> UsageError:
    remedy = "pass a pointwise activation, in eval mode; split gates and softmax off"
    return UsageError(f"the activation {seen}", expected=expected, remedy=remedy)


def _shape(y: object) -> object:
    return tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__


def _torch_gain(f: Activation) -> float:
    key = _SYNONYMS.get(f, f) if isinstance(f, str) else None
    if key in _TORCH:
        return _TORCH[key]
    raise UsageError(
        f"torch's gain of {_label(f)}",
        expected=f"one of {', '.join(_TORCH)}: torch knows no other",
        remedy='use convention="second_moment", which works for any callable',
    )


def _label(f: Activation) -> str:
    return f if isinstance(f, str) else getattr(f, "__name__", type(f).__name__)
