from __future__ import annotations

import math

import pytest

from initium.errors import UsageError
from initium.random.distributions import Normal, TruncatedNormal, Uniform
from initium.random.draw_constants import Kind, recipe


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (-2.0, 2.0, Kind.CUT_NEAR),
        (0.0, 1.0, Kind.CUT_NEAR),
        (-3.0, 3.0, Kind.CUT),
        (-3.0, -2.5, Kind.CUT),
        (-4.0, 4.0, Kind.CUT_FAR),
        (0.0, math.inf, Kind.CUT_FAR),
        (8.0, 9.0, Kind.CUT_FAR),
        (-7.0, 7.0, Kind.NORMAL),  # Box-Muller on 31 bits ends at 6.661
        (-math.inf, math.inf, Kind.NORMAL),
        (12.0, 13.0, Kind.TAIL),
        (-math.inf, -20.0, Kind.TAIL),
    ],
)
def test_bounds_choose_the_transform(low: float, high: float, kind: Kind) -> None:
    assert recipe(TruncatedNormal(0.0, 1.0, low, high, corrected=False)).kind == kind


def test_the_uncut_std_makes_up_for_the_cut() -> None:
    made = recipe(TruncatedNormal(0.0, 1.0, -2.0, 2.0))

    assert made.p[0] == pytest.approx(1 / 0.8796256610342398, rel=1e-6)  # std of a normal cut at 2 sigma


def test_words_below_zero_are_shared_by_mass() -> None:
    made = recipe(TruncatedNormal(0.0, 1.0, -1.0, math.inf))
    below = 0.3413447460685429  # P(-1 < Z < 0)

    assert (made.last + 1) / 2**31 == pytest.approx(below / (below + 0.5), rel=1e-8)


def test_no_negative_zero_reaches_the_arithmetic() -> None:
    made = recipe(Normal(-0.0, 1.0))

    assert math.copysign(1.0, made.p[1]) == 1.0


def test_an_interval_without_an_fp32_number_collapses_to_the_nearest() -> None:
    made = recipe(TruncatedNormal(1e6, 1e-6, corrected=False))

    assert made.p[2] == made.p[3] == 1e6


@pytest.mark.parametrize("draw", [Normal(0.0, 1e39), Uniform(-1e308, 1e308), TruncatedNormal(1e39, 1.0)])
def test_what_overflows_fp32_is_refused(draw: Normal | Uniform | TruncatedNormal) -> None:
    with pytest.raises(UsageError, match="fp32"):
        recipe(draw)
