"""Critical starts: how to draw a deep plain chain of any activation so that signals and gradients reach its ends.

Two rates decide, per layer and for z ~ N(0, q):

* log chi = log(q d / V), the growth of gradients. With centred rows V = Var f, and then it is at least 0 by
  Poincare's inequality and 0 only for a linear f: it is also how fast near inputs are torn apart.
* drift = d log V / d log q - 1, the growth of a disturbance of the signal's scale: below 0 the chain corrects it.

Mirrored weights see the odd part f(z) - f(-z) in place of f: linear for ReLU, GELU, SiLU, softplus, so log chi is 0.
The limits below are those of trained plain nets (evidence: D-chain-budgets): a chain does best when log chi adds up to
`LOG_CHI_BUDGET`, and still trains at twice that if its scale corrects itself.

The dials of a start: the variance of weights (through q, or `w`), centring and equal biases (`shift`) are found here,
for chains without aid; norm gain and norm shift in `initium.theory.normed`; branch scale in `initium.theory.streams`.
A variance of biases is a dial of `initium.theory.meanfield`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from initium.errors import UsageError
from initium.theory.gains import Activation, Moments, function_of
from initium.theory.meanfield import moments_of
from initium.theory.sampled import Sampled, tabulated

Function = Activation | Sampled
Geometry = Literal["orthogonal", "mirrored"]

LOG_CHI_BUDGET = 1.5
"""Sum of log chi over a chain at which trained nets did best. evidence: D-chain-budgets."""
STEADY = 1e-5
"""Drift per layer up to which a chain keeps its scale, however deep."""
SHORT_LOG_CHI, SHORT_DRIFT = 3.05, 1.0
"""Sums at which a chain still trains at unit scale. evidence: D-chain-budgets."""
LARGEST_Q, SMALLEST_Q = 4.0, 5e-4
"""Second moments of pre-activations between which a start is looked for."""
CLEARLY_WIDER = 20.0
"""Ratio of mirrored to plain q from which mirrored weights are worth the units that they pair."""
SHIFTS = tuple(sign * size for size in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0) for sign in (1, -1))
SMALLEST_MOVED_Q = 0.01
_Q_STEP = 1.02


@dataclass(frozen=True, slots=True)
class Rates:
    """Growth per layer, as logarithms.

    Args:
        log_chi: of the mean square of gradients at the fixed point.
        drift: log-slope of the variance map less 1.
    """

    log_chi: float
    drift: float


@dataclass(frozen=True, slots=True)
class Critical:
    """A critical point for a chain of finite depth.

    Args:
        q: second moment of the pre-activations.
        centring: fraction of its mean to take off every row.
        w: variance of the weights times fan_in (for mirrored weights, of the half matrix).
        chi: growth of gradients per layer.
        slope: log-slope of the variance map; the chain corrects its scale below 1.
    """

    q: float
    centring: float
    w: float
    chi: float
    slope: float


@dataclass(frozen=True, slots=True)
class Start:
    """How to draw the weights of a chain.

    Args:
        geometry: orthogonal, or mirrored (looks-linear) orthogonal.
        q: second moment that every output of the chain but the last is calibrated to.
        centring: fraction of its mean to take off every row, those of the first weight excepted.
        gain: factor on the orthogonal matrix that gives q in theory; calibration finds the true one.
        chi: expected growth of gradients per layer.
        reason: one clause for the plan.
        shift: value of every bias but the last weight's.
    """

    geometry: Geometry
    q: float
    centring: float
    gain: float
    chi: float
    reason: str
    shift: float = 0.0


def rates(
    f: Function | Sequence[Function], q: float, *, centring: float = 1.0, mirrored: bool = False
) -> Rates:
    """Log chi and drift of one layer, or their means over several, at z ~ N(0, q).

    Args:
        f: activation, by name, callable or `Sampled`; or several of them.
        q: second moment of the pre-activations.
        centring: fraction of its mean taken off every row.
        mirrored: whether weights are mirrored, so that only the odd part of f passes.

    Example:
        >>> round(rates("relu", 1.0).log_chi, 3), abs(round(rates("relu", 1.0, mirrored=True).log_chi, 3))
        (0.383, 0.0)
    """
    return _Chain(f, mirrored).rates(q, centring)


def critical_point(
    f: Function | Sequence[Function], depth: int, *, mirrored: bool = False, budget: float = LOG_CHI_BUDGET
) -> Critical:
    """The point for a chain of `depth` layers: rows without mean, and the largest q at which log chi stays in budget.

    Where no q keeps that sum within `budget` (ReLU, and all with a kink at 0) q stays 1 and the rows keep as
    much of their mean as the budget demands: a mean holds gradients down, at the price of inputs that grow alike.

    Args:
        f: activation, or those of the layers in order.
        depth: number of weights in a row.
        mirrored: for mirrored weights.
        budget: of the sum of log chi.

    Raises:
        UsageError: depth below 1; f is not pointwise or not finite.

    Example:
        >>> point = critical_point("sigmoid", 60)
        >>> point.centring, 0.5 < point.q < 1.5
        (1.0, True)
    """
    chain = _Chain(f, mirrored)
    q = chain.largest_q(budget / _checked(depth))
    return chain.at(q, 1.0) if q is not None else chain.at(1.0, chain.centring(budget / depth))


def start_of(
    f: Function | Sequence[Function], depth: int, *, mirror: bool = True, biases: bool = False
) -> Start:
    """The start of a plain chain, without norm or skip, from its activations and its depth alone.

    Plain orthogonal weights with centred rows where the chain trains with them: at unit scale or above if it is short
    for its activation, else at the smaller q where log chi is small and the scale is kept. Else mirrored ones, if
    log chi of the odd part of the activation is small; odd activations are never mirrored, paired units would stay
    equal but for their sign. Else, where there are biases, equal ones that move the activation to where it is more
    nearly linear (cos, or ReLU at an odd width). Else rows that keep a part of their mean.

    Args:
        f: activation, or those of the layers in order; names, callables or `Sampled`.
        depth: number of weights in a row without norm, skip or branch.
        mirror: whether units can be paired (even widths, no groups).
        biases: whether every layer but the last has a bias that may be set.

    Raises:
        UsageError: depth below 1; f is not pointwise or not finite.

    Example:
        >>> [start_of(f, 50).geometry for f in ("relu", "gelu", "tanh", "sigmoid")]
        ['mirrored', 'mirrored', 'orthogonal', 'orthogonal']
    """
    plain, odd = _Chain(f), _Chain(f, mirrored=True)
    steady, unit = plain.largest_q(LOG_CHI_BUDGET / _checked(depth)), plain.rates(1.0)
    if depth * unit.log_chi <= SHORT_LOG_CHI and depth * unit.drift <= SHORT_DRIFT:
        q = plain.no_larger(max(1.0, steady or 0.0))
        return _orthogonal(plain.at(q, 1.0), depth, "keeps the size of gradients well enough at unit scale")
    linear = odd.largest_q(LOG_CHI_BUDGET / depth) if mirror and plain.has_even_part() else None
    if steady is not None and (linear is None or linear < CLEARLY_WIDER * steady):
        return _orthogonal(plain.at(steady, 1.0), depth, "keeps the size of signal and gradients")
    if linear is not None:
        point = odd.at(plain.no_larger(linear), 0.0)
        reason = f"a chain of {depth}: pairs of opposite units pass on the odd part of the activation, "
        reason += "which is linear" if depth * math.log(point.chi) < 0.01 else "which is nearly linear"
        return Start("mirrored", point.q, 0.0, math.sqrt(point.w), point.chi, reason)
    moved = _moved(_several(f), depth) if biases else None
    if moved is not None:
        return moved
    return _orthogonal(critical_point(f, depth), depth, "cannot be mirrored")


def _moved(several: tuple[Function, ...], depth: int) -> Start | None:
    """The smallest equal bias at which log chi is small at unit scale, else the one that allows the largest q."""
    table = {f: tabulated(f) for f in several}
    best: tuple[float, float, _Chain] | None = None
    for shift in SHIFTS:
        moved = {f: known.shifted(shift) for f, known in table.items()}
        chain = _Chain([moved[f] for f in several])
        q = chain.largest_q(LOG_CHI_BUDGET / depth, SHORT_DRIFT / depth, highest=1.0)
        if q is not None and (best is None or q > 1.1 * best[0]):
            best = (q, shift, chain)
        if best is not None and best[0] == 1.0:
            break
    if best is None or best[0] < SMALLEST_MOVED_Q:
        return None
    q, shift, chain = best
    why = f"keeps the size of gradients better with biases of {shift:g}"
    return replace(_orthogonal(chain.at(q, 1.0), depth, why), shift=shift)


def _orthogonal(point: Critical, depth: int, why: str) -> Start:
    rows = "" if not point.centring else f"rows less {point.centring:.0%} of their mean, "
    if point.centring == 1.0:
        rows = "rows without mean, "
    reason = f"a chain of {depth} that {why}: {rows}gradients grow {point.chi**depth:.2g} times"
    return Start("orthogonal", point.q, point.centring, math.sqrt(point.w), point.chi, reason)


class _Chain:
    """The activations of a chain, and what was computed of them."""

    def __init__(self, f: Function | Sequence[Function], mirrored: bool = False) -> None:
        self._counts = Counter(_several(f))
        self._mirrored = mirrored
        self._known: dict[tuple[Function, float], Moments] = {}

    def rates(self, q: float, centring: float = 1.0) -> Rates:
        """Mean rates of the layers."""
        found = {f: self._rates(f, q, centring) for f in self._counts}
        log_chi = self._mean({f: rate.log_chi for f, rate in found.items()})
        return Rates(log_chi, self._mean({f: rate.drift for f, rate in found.items()}))

    def largest_q(self, log_chi: float, drift: float = STEADY, highest: float = LARGEST_Q) -> float | None:
        """The largest q in reach at which log chi and drift of a layer are no larger than that."""

        def fits(q: float) -> bool:
            rate = self.rates(q)
            return rate.log_chi <= log_chi + 1e-7 and rate.drift <= drift

        high = highest
        if fits(high):
            return high
        while not fits(high / 2):
            high /= 2
            if high < SMALLEST_Q:
                return None
        low = high / 2
        for _ in range(5):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def no_larger(self, q: float) -> float:
        """q, or 1 if units are no less linear at 1: then nothing is won by leaving unit scale."""
        return 1.0 if q > 1 and self.rates(q).log_chi <= self.rates(1.0).log_chi + 1e-6 else q

    def centring(self, log_chi: float) -> float:
        """The largest fraction at which log chi is at most `log_chi`, at q = 1; 0 if none."""
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if self.rates(1.0, middle).log_chi <= log_chi else (low, middle)
        return low

    def at(self, q: float, centring: float) -> Critical:
        """The point at q; a mean of next to nothing needs no centring."""
        found = {f: self._moments(f, q) for f in self._counts}
        if all(at.m**2 <= 1e-6 * at.v for at in found.values()):
            centring = 0.0
        rate = self.rates(q, centring)
        w = self._mean({f: math.log(q / _power(at, centring)) for f, at in found.items()})
        return Critical(q, centring, math.exp(w), math.exp(rate.log_chi), 1 + rate.drift)

    def has_even_part(self) -> bool:
        """Whether some f differs from an odd function: f(z) + f(-z) varies."""
        return any(_is_uneven(f) for f in self._counts)

    def _moments(self, f: Function, q: float) -> Moments:
        if (f, q) not in self._known:
            self._known[f, q] = moments_of(_reflected(f, -1.0) if self._mirrored else f, q)
        return self._known[f, q]

    def _rates(self, f: Function, q: float, centring: float) -> Rates:
        at, more, less = (self._moments(f, one) for one in (q, q * _Q_STEP, q / _Q_STEP))
        powers = [_power(one, centring) for one in (at, more, less)]
        if min(powers) <= 0 or at.d <= 0:
            return Rates(math.inf, math.inf)
        slope = math.log(powers[1] / powers[2]) / (2 * math.log(_Q_STEP))
        return Rates(math.log(q * at.d / powers[0]), slope - 1)

    def _mean(self, values: dict[Function, float]) -> float:
        return sum(values[f] * count for f, count in self._counts.items()) / self._counts.total()


def _is_uneven(f: Function) -> bool:
    even, odd = (moments_of(_reflected(f, sign), 1.0).v for sign in (1.0, -1.0))
    return even > 1e-3 * (even + odd)


def _power(at: Moments, centring: float) -> float:
    return at.v + (1 - centring) ** 2 * at.m**2


def _reflected(f: Function, sign: float) -> Function:
    """f(z) + sign f(-z)."""
    if isinstance(f, Sampled):
        return f.reflected(sign)
    function = function_of(f)
    return lambda z: function(z) + sign * function(-z)


def _several(f: Function | Sequence[Function]) -> tuple[Function, ...]:
    if isinstance(f, str) or callable(f):
        return (f,)
    if not f:
        raise UsageError(
            "no activation", expected="at least one", remedy='pass "identity" for a linear chain'
        )
    return tuple(f)


def _checked(depth: int) -> int:
    if depth < 1:
        raise UsageError(f"depth {depth}", expected="at least 1", remedy="count the weights of the chain")
    return depth
