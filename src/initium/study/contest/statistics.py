"""Statistics of paired seeds: arrays in, plain numbers out. Losses throughout: lower is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initium.errors import MissingExtraError, UsageError

Relation = Literal["better", "worse", "tie", "undecided"]
Losses = NDArray[np.float64]

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
EQUIVALENCE_MARGIN = 0.02
"""Half-width of the region of practical equivalence, as a share of the better loss."""
POWER = 0.8
MOST_SEEDS_NEEDED = 1000
MOST_EFFECT = 20.0


@dataclass(frozen=True)
class Difference:
    """How far the first of two inits is from the second, over seeds that both ran.

    Args:
        num: paired seeds.
        mean: first minus second; negative where the first is better.
        low: lower end of its interval.
        high: upper end.
        p: two-sided p-value of the paired t-test.
        effect: mean over the standard deviation of the differences (Cohen's d for pairs); infinite where all
            differences are one number other than 0.
        base: mean loss of the second.
    """

    num: int
    mean: float
    low: float
    high: float
    p: float
    effect: float
    base: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """Mean and interval as shares of the second's loss."""
        return self.mean / self.base, self.low / self.base, self.high / self.base


def special_functions() -> ModuleType:
    """`scipy.special`, which the extra `study` brings.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    try:
        import scipy.special
    except ImportError as error:
        raise MissingExtraError(
            "scipy is not installed",
            expected="the extra `study`, which a study's verdict needs",
            remedy="pip install 'initium[study]'",
        ) from error
    return scipy.special  # type: ignore[no-any-return]


def capped(losses: ArrayLike, ceiling: float) -> Losses:
    """Losses under a ceiling; one that is not finite (a run that diverged) counts as the ceiling.

    Without it one run that exploded would decide a mean, and no test or pruner can use a nan.

    Example:
        >>> capped([0.5, float("nan"), 1e9], 4.6).tolist()
        [0.5, 4.6, 4.6]
    """
    given = np.asarray(losses, dtype=np.float64)
    return np.minimum(np.where(np.isfinite(given), given, ceiling), ceiling)


def paired(first: ArrayLike, second: ArrayLike, *, confidence: float = CONFIDENCE) -> Difference:
    """Paired t-test and t-interval of `first - second`, seed by seed.

    With differences d_i of n seeds, their mean m and standard deviation s: t = m sqrt(n) / s has n - 1 degrees of
    freedom, the interval is m +- t* s / sqrt(n), the effect size m / s.

    Args:
        first: losses, shape (seeds,), finite.
        second: losses of the same seeds in the same order.
        confidence: of the interval.

    Raises:
        UsageError: shapes differ, there are under 2 seeds, or a loss is not finite.
        MissingExtraError: scipy is not installed.

    Example:
        >>> found = paired([1.0, 1.2, 1.1], [1.5, 1.8, 1.4])
        >>> round(found.mean, 3), round(found.p, 2), round(found.effect, 2)
        (-0.467, 0.03, -3.06)

    Source: Student (1908), Biometrika 6; Cohen (1988) for the effect size.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError(
            f"losses of shapes {a.shape} and {b.shape}",
            expected="finite losses of the same seeds, two seeds or more",
            remedy="run both inits on the same seeds, and cap runs that diverged "
            "(initium.study.contest.statistics.capped)",
        )
    change = a - b
    mean, sd = float(change.mean()), float(change.std(ddof=1))
    if sd <= 1e-12 * float(np.abs(np.concatenate([a, b])).max()):  # one number up to rounding: no t-test
        same = abs(mean) <= 1e-12 * float(np.abs(a).max())
        effect = 0.0 if same else math.copysign(math.inf, mean)
        return Difference(a.size, mean, mean, mean, 1.0 if same else 0.0, effect, float(b.mean()))
    special, freedom = special_functions(), a.size - 1
    error = sd / math.sqrt(a.size)
    half = error * float(special.stdtrit(freedom, (1 + confidence) / 2))
    p = 2 * float(special.stdtr(freedom, -abs(mean) / error))
    return Difference(a.size, mean, mean - half, mean + half, p, mean / sd, float(b.mean()))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values that hold for all of several tests at once: a true null is rejected in at most alpha of the families.

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_(j), at most 1.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]

    Source: Holm (1979), Scandinavian Journal of Statistics 6.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        adjusted[i] = largest
    return tuple(adjusted)


def relation(difference: Difference, *, p: float, margin: float, alpha: float = ALPHA) -> Relation:
    """What a difference says of the first init: better, worse, a tie, or undecided.

    A tie is shown, not presumed: the whole interval lies within the margin of 0. A difference that is neither shown
    nor excluded is undecided; more seeds would tell.

    Args:
        difference: of the two.
        p: its p-value, corrected for the tests that were made along with it.
        margin: half-width of the region of practical equivalence, in units of the loss.
        alpha: level of the test.

    Example:
        >>> relation(paired([1.0, 1.2, 1.1], [1.5, 1.8, 1.4]), p=0.034, margin=0.02)
        'better'

    Source: Kruschke (2018), Advances in Methods and Practices in Psychological Science 1, for the region.
    """
    if -margin <= difference.low and difference.high <= margin:
        return "tie"
    if p < alpha:
        return "better" if difference.mean < 0 else "worse"
    return "undecided"


def mean_ranks(losses: ArrayLike) -> tuple[float, ...]:
    """The mean over seeds of each init's rank, 1 for the lowest loss; equal losses share their ranks.

    Args:
        losses: shape (inits, seeds).

    Example:
        >>> mean_ranks([[0.5, 0.6], [0.7, 0.6], [0.9, 0.9]])
        (1.25, 1.75, 3.0)
    """
    given = np.asarray(losses, dtype=np.float64)
    below = (given[None] < given[:, None]).sum(axis=1)
    equal = (given[None] == given[:, None]).sum(axis=1)
    return tuple(float(value) for value in (below + (equal + 1) / 2).mean(axis=1))


def seeds_needed(effect: float, *, power: float = POWER, alpha: float = ALPHA) -> int | None:
    """Paired seeds with which a difference of this effect size would be seen; None for over a thousand.

    The power of the two-sided paired t-test, from the noncentral t distribution.

    Raises:
        MissingExtraError: scipy is not installed.

    Example:
        >>> seeds_needed(1.0), seeds_needed(3.0), seeds_needed(0.05)
        (10, 4, None)
    """
    special = special_functions()
    if not math.isfinite(effect):
        return 2
    nums = np.arange(2, MOST_SEEDS_NEEDED + 1)
    bound = special.stdtrit(nums - 1, 1 - alpha / 2)
    enough = special.nctdtr(nums - 1, min(abs(effect), MOST_EFFECT) * np.sqrt(nums), bound) <= 1 - power
    return int(nums[enough][0]) if enough.any() else None
