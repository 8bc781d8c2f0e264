"""Chains with norms: what the norm's gain and shift do to gradients, which no weight behind a norm can.

A layer is norm, gain g, shift s, function f, weight: x -> W f(g u + s), with u the normalized x, N(0, 1). The norm sets
the signal's scale anew, so nothing drifts, but it divides the gradient by the size of what it was given. Where its
statistics are taken over samples (batch and instance norm) that size is the spread of a unit, w Var f; where they are
taken over the units of one sample (layer, group and RMS norm) it is their second moment, w E f^2. The variance w of the
weights cancels, and gradients grow on their way back by

    chi(g, s) = g^2 E f'^2 / Var f            over samples  (Yang+ 2019, 1902.08129)
    chi(g, s) = g^2 E f'^2 / E f^2            over units

a layer, f and f' taken at N(s, g^2), in wide nets and large batches; a batch of B adds (B - 2) / (B - 3) for linear f.
Over samples chi is at least 1, and 1 only for a linear f (Poincare's inequality): ReLU has pi / (pi - 1), tanh 1.18. A
shift moves ReLU-like functions to where they are more nearly linear, and a smaller gain does so for all smooth ones.
Over units ReLU has 1; a shift makes chi less than 1, as every unit then holds a mean that says nothing of the sample.
Rows of W without mean do not pass that mean on: then chi is the same over units as over samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from initium.errors import UsageError
from initium.theory.gains import Activation
from initium.theory.sampled import Sampled, tabulated

Over = Literal["samples", "units"]
"""What the statistics of a norm are taken over: `samples` (batch, instance), or `units` of one (layer, group, RMS)."""

DIAL_STEP = 0.05
"""Gains and shifts are tried at multiples of it."""
FURTHEST = 2.0
"""The largest shift: beyond it nearly all of ReLU is a line."""
_GROUND = 1e-6
"""Share of log chi that must be won for a dial to count as one; tables are that exact."""


def growth(
    f: Activation | Sampled, *, gain: float = 1.0, shift: float = 0.0, over: Over = "samples"
) -> float:
    """Growth chi of the mean square of gradients per layer of a chain with norms.

    Args:
        f: the function between norm and weight, by name, callable or `Sampled`.
        gain: of the norm, positive.
        shift: of the norm.
        over: what the norm's statistics are taken over.

    Raises:
        UsageError: gain not positive, no such `over`, f not pointwise, or without variation there.

    Example:
        >>> round(growth("relu"), 4), round(growth("relu", shift=1.0), 4), round(growth("relu", over="units"), 4)
        (1.4669, 1.1202, 1.0)
        >>> round(growth("tanh"), 3), round(growth("tanh", gain=0.5), 3)
        (1.178, 1.034)
    """
    if not (gain > 0 and math.isfinite(gain)):
        raise UsageError(f"norm gain {gain}", expected="a positive number", remedy="pass gain > 0")
    if over not in ("samples", "units"):
        raise UsageError(
            f"over={over!r}", expected='"samples" or "units"', remedy="see initium.theory.normed"
        )
    chi = math.exp(_log_chi(tabulated(f), gain, shift, over))
    if not chi < math.inf:
        raise UsageError(
            f"a function without variation around {shift:g}",
            expected="one whose values differ between samples there",
            remedy="pass another shift, or a larger gain",
        )
    return chi


def shift_for(f: Activation | Sampled, share: float, *, over: Over = "samples") -> float:
    """The least shift at which log chi falls to a share of what it is without; `FURTHEST` if none does.

    0 if log chi is no more than 0 as it is, and for functions that are most nearly linear at 0, as tanh is.

    Args:
        f: the function after the norm.
        share: wanted log chi over that at shift 0.
        over: what the norm's statistics are taken over.

    Example:
        >>> shift_for("relu", 0.5), shift_for("relu", 0.5, over="units"), shift_for("tanh", 0.5)
        (0.65, 0.0, 0.0)
    """
    table = tabulated(f)
    places = [round(DIAL_STEP * step, 2) for step in range(round(FURTHEST / DIAL_STEP) + 1)]
    return _first(places, share, lambda shift: _log_chi(table, 1.0, shift, over))


def gain_for(f: Activation | Sampled, share: float, *, over: Over = "samples") -> float:
    """The largest gain up to 1 at which log chi falls to a share of what it is at 1; `DIAL_STEP` if none does.

    1 if log chi is no more than 0 as it is, or does not fall with the gain, as for functions with a kink at 0.

    Args:
        f: the function after the norm.
        share: wanted log chi over that at gain 1.
        over: what the norm's statistics are taken over.

    Example:
        >>> gain_for("tanh", 0.5), gain_for("gelu", 0.5), gain_for("relu", 0.5)
        (0.7, 0.4, 1.0)
    """
    table = tabulated(f)
    places = [round(DIAL_STEP * step, 2) for step in range(round(1 / DIAL_STEP), 0, -1)]
    return _first(places, share, lambda gain: _log_chi(table, gain, 0.0, over))


def _log_chi(table: Sampled, gain: float, shift: float, over: Over) -> float:
    """Log chi; infinite where the function does not vary."""
    at = table.moments(gain * gain, shift)
    power = at.v if over == "samples" else at.s
    return math.log(gain * gain * at.d / power) if min(power, at.d) > 0 else math.inf


def _first(places: Sequence[float], share: float, log_chi: Callable[[float], float]) -> float:
    """The first place with no more than that share of log chi at the start; the start, if the next wins nothing."""
    start = log_chi(places[0])
    if not 0 < start < math.inf or log_chi(places[1]) >= (1 - _GROUND) * start:
        return places[0]
    return next((place for place in places if log_chi(place) <= share * start), places[-1])
