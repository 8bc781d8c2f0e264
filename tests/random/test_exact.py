from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import erfc

from initium.random import exact

BOUNDS = [(-2.0, 2.0), (-3.0, 1.0), (0.0, math.inf), (2.0, 3.0), (-8.0, 9.0), (10.0, 11.0), (-3.0, -2.5)]


@given(st.floats(-700, 0))
def test_exp_is_exp(x: float) -> None:
    assert exact.exp(x) == pytest.approx(math.exp(x), rel=1e-15)


def test_exp_ends_in_zero() -> None:
    assert exact.exp(-1e4) == 0.0


@pytest.mark.parametrize("z", [0.0, 0.1, 1.0, 2.0, 5.0, 11.0, 30.0])
def test_tail_is_half_of_erfc(z: float) -> None:
    assert exact.tail(z) == pytest.approx(0.5 * erfc(z / math.sqrt(2)), rel=1e-11)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_moments_of_a_cut_normal_are_scipys(low: float, high: float) -> None:
    found, expected = exact.cut(low, high), stats.truncnorm(low, high)

    assert found.mean == pytest.approx(expected.mean(), rel=1e-10, abs=1e-12)
    assert found.var == pytest.approx(expected.var(), rel=1e-9)
    assert found.mass == pytest.approx(float(np.diff(stats.norm.cdf([low, high]))[0]), rel=1e-9, abs=1e-16)


def test_a_narrow_cut_is_uniform() -> None:
    found = exact.cut(-1e-6, 2e-6)

    assert found.mean == pytest.approx(0.5e-6, rel=1e-6)
    assert found.var == pytest.approx(9e-12 / 12, rel=1e-6)


def test_share_far_out_keeps_its_precision() -> None:
    # P(Z < 100.01 | Z > 100) = 1 - exp(-100 * 0.01 - 0.01**2 / 2) * (1 - ~1e-4)
    assert exact.share(100.0, 100.01) == pytest.approx(1 - math.exp(-1.00005), rel=2e-4)
    assert exact.share(3.0, math.inf) == 1.0


@given(st.floats(width=64, min_value=-3e38, max_value=3e38))
def test_rounding_to_fp32_brackets(x: float) -> None:
    up, down = exact.fp32_up(x), exact.fp32_down(x)

    assert float(np.float32(up)) == up
    assert float(np.float32(down)) == down
    assert down <= x <= up
    assert exact.fp32_below(x) < x
    assert up == down or np.nextafter(np.float32(down), np.float32(np.inf)) == np.float32(up)
