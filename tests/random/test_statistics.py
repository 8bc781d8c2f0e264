"""The draws have the distributions they are named for: moments, Kolmogorov-Smirnov, chi-square over 65,536
bins, tails, and no correlation between neighbours: counters, words of a counter, keys.

Draws are keyed, so each p-value is a constant: a test that passes will pass again. Limits are 5 sigma, and
p-values between 1e-4 and 1 - 1e-4 for the two shape tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import ndtr

from initium.random.distributions import Draw, Normal, TruncatedNormal, Uniform
from initium.random.fill import fill_
from initium.random.key import Key, key_for
from initium.random.region import Region

BINS = 1 << 16
CHUNK = 1 << 21
CUTS = ((-2.0, 2.0), (-3.0, 3.0), (-1.0, 5.0), (2.0, 3.0), (12.0, 14.0))
DRAWS: list[Draw] = [Uniform(-1.0, 1.0), Normal(0.0, 1.0)] + [
    TruncatedNormal(0.0, 1.0, low, high, corrected=False) for low, high in CUTS
]
ONE_SIDED = [draw for draw in DRAWS if isinstance(draw, TruncatedNormal) and draw.low > 0]
SIZES = [pytest.param(1 << 22, id="4e6"), pytest.param(10**8, id="1e8", marks=pytest.mark.slow)]


def samples(draw: Draw, key: Key, count: int) -> Iterator[np.ndarray]:
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        region = Region.box((count,), (start,), (size,))
        yield fill_(torch.empty(size), draw, key, region=region).numpy().astype(np.float64)


def to_uniform(draw: Draw, x: np.ndarray) -> np.ndarray:
    """The probability of a smaller value: uniform if `x` is distributed as `draw`."""
    if isinstance(draw, Uniform):
        return (x - draw.low) / (draw.high - draw.low)
    if isinstance(draw, Normal):
        return np.asarray(ndtr(x))
    assert isinstance(draw, TruncatedNormal)
    if draw.low > 0:  # the upper tail keeps its precision
        low, high = ndtr(-draw.low), ndtr(-draw.high)
        return np.asarray((low - ndtr(-x)) / (low - high))
    low, high = ndtr(draw.low), ndtr(draw.high)
    return np.asarray((ndtr(x) - low) / (high - low))


def expected_moments(draw: Draw) -> list[float]:
    """E u^k of the first twelve powers of a uniform on (-1, 1), or of a normal, cut or not."""
    if isinstance(draw, Uniform):
        return [0.0 if k % 2 else 1 / (k + 1) for k in range(1, 13)]
    if isinstance(draw, Normal):
        return [0.0 if k % 2 else float(math.prod(range(1, k, 2))) for k in range(1, 13)]
    assert isinstance(draw, TruncatedNormal)
    return [float(stats.truncnorm(draw.low, draw.high).moment(k)) for k in range(1, 13)]


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("draw", DRAWS, ids=repr)
def test_distribution(draw: Draw, count: int) -> None:
    far = isinstance(draw, TruncatedNormal) and draw.low > 10
    # Away from zero fp32 is coarse: of 65,536 bins between 2 and 3 each would hold 25 numbers, more or less.
    bins = BINS // 256 if far else BINS // 16 if draw in ONE_SIDED else BINS
    histogram, sums = np.zeros(bins), np.zeros(6)
    for x in samples(draw, key_for(1, "statistics"), count):
        u = np.clip(to_uniform(draw, x), 0.0, 1.0 - 2.0**-53)
        histogram += np.bincount((u * bins).astype(np.int64), minlength=bins)
        sums += [np.sum(x**power) for power in range(1, 7)]

    assert 1e-4 < stats.chisquare(histogram).pvalue < 1 - 1e-4
    distance = np.abs(np.cumsum(histogram) / count - np.arange(1, bins + 1) / bins).max()
    assert 1e-4 < stats.kstwobign.sf(distance * math.sqrt(count)) < 1 - 1e-4
    if not far:
        moments = expected_moments(draw)
        for power in range(1, 7):
            sigma = math.sqrt((moments[2 * power - 1] - moments[power - 1] ** 2) / count)
            assert abs(sums[power - 1] / count - moments[power - 1]) < 5 * sigma, power


@pytest.mark.parametrize("count", SIZES)
def test_tails_of_the_normal(count: int) -> None:
    levels = np.array([2.0, 3.0, 4.0, 5.0, 5.5, 6.0])
    beyond, largest = np.zeros((2, len(levels))), 0.0
    for x in samples(Normal(0.0, 1.0), key_for(2, "statistics"), count):
        largest = max(largest, float(np.abs(x).max()))
        beyond += [[np.sum(x > level) for level in levels], [np.sum(x < -level) for level in levels]]
    expected = count * ndtr(-levels)

    # Poisson counts: 5 sigma, and never fewer than what chance allows around an expectation below 1.
    assert (np.abs(beyond - expected) <= 5 * np.sqrt(expected) + 3).all()
    assert largest > math.sqrt(2 * math.log(count)) - 1
    assert largest < 6.67  # where 31 bits end


def _correlations(x: np.ndarray, y: np.ndarray) -> list[float]:
    """In sigmas: of values, of squares, and of each with the other."""
    n = len(x)
    functions = (lambda v: v, lambda v: (v * v - 1) / math.sqrt(2))
    return [float(np.dot(f(x), g(y))) / math.sqrt(n) for f in functions for g in functions]


@pytest.mark.parametrize("count", SIZES)
def test_neighbouring_counters_words_and_keys_are_independent(count: int) -> None:
    count //= 4
    key = key_for(3, "statistics")
    near = [key._replace(k0=key.k0 ^ 1), key._replace(k3=key.k3 ^ 0x80000000), Key(*key[::-1])]
    lags = (1, 2, 16, 255, 256, 257, 512, 768, 1024)
    sums = np.zeros((len(lags) + len(near), 4))
    sizes = np.zeros(len(lags) + len(near))
    others = [samples(Normal(0.0, 1.0), other, count) for other in near]
    for x, *rest in zip(samples(Normal(0.0, 1.0), key, count), *others, strict=True):
        pairs = [(x[:-lag], x[lag:]) for lag in lags] + [(x, y) for y in rest]
        for row, (a, b) in enumerate(pairs):
            sums[row] += np.array(_correlations(a, b)) * math.sqrt(len(a))
            sizes[row] += len(a)

    assert (np.abs(sums) < 5 * np.sqrt(sizes)[:, None]).all()


def test_half_precision_uniforms_are_unbiased() -> None:
    """torch's bf16 uniform_ has a mean 14 sigma off at 16M."""
    count = 1 << 22
    for dtype in (torch.bfloat16, torch.float16):
        x = fill_(torch.empty(count, dtype=dtype), Uniform(-1.0, 1.0), key_for(4, "statistics")).double()
        assert abs(float(x.mean())) < 5 / math.sqrt(3 * count)


@pytest.mark.parametrize(
    ("low", "high"), [(-2.0, 2.0), (-1.0, 3.0), (0.0, math.inf), (2.0, 3.0), (-40.0, -39.0)]
)
def test_the_std_of_a_corrected_cut_is_the_one_asked_for(low: float, high: float) -> None:
    count = 1 << 20
    x = fill_(torch.empty(count), TruncatedNormal(0.0, 0.02, low, high), key_for(5, "statistics")).double()

    # var(s^2) = (kurtosis - 1) / n, and no cut normal has a kurtosis above 9 (the exponential's)
    assert float(x.std()) == pytest.approx(0.02, rel=5 * math.sqrt(8 / count) / 2)
