from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.report.charts.scales import Scale, scale_for, spread, tick_labels

FINITE = st.floats(-1e12, 1e12)
POSITIVE = st.floats(1e-40, 1e38)


def test_ends_map_to_ends_and_the_middle_to_the_middle():
    linear, log = Scale(0, 10, 100, 200), Scale(1e-4, 1e4, 200, 100, log=True)
    assert [linear(v) for v in (0, 5, 10)] == [100, 150, 200]
    assert [log(v) for v in (1e-4, 1, 1e4)] == [200, 150, 100]


def test_values_without_a_place_go_to_the_border():
    log = Scale(1e-4, 1e4, 200, 100, log=True)
    assert [log(v) for v in (math.inf, 0.0, -1.0, math.nan, 1e9)] == [100, 200, 200, 200, 100]
    assert [log.holds(v) for v in (math.inf, 0.0, -1.0, math.nan, 1e9)] == [False, False, False, False, True]


@given(st.lists(FINITE, min_size=1), st.integers(3, 9))
def test_linear_ticks_are_few_even_and_inside(values, count):
    scale = scale_for(values, 0, 100)
    ticks = scale.ticks(count)
    assert all(scale.low <= v <= scale.high for v in values)
    assert all(scale.low - 1e-9 * abs(scale.low) <= t <= scale.high + 1e-9 * abs(scale.high) for t in ticks)
    assert len(ticks) <= count + 2
    steps = [b - a for a, b in pairwise(ticks)]
    assert all(math.isclose(step, steps[0], rel_tol=1e-3) for step in steps)


@given(st.lists(POSITIVE, min_size=1), st.integers(3, 9))
def test_log_ticks_are_few_and_inside(values, count):
    scale = scale_for(values, 0, 100, log=True)
    ticks = scale.ticks(count)
    assert 1 <= len(ticks) <= max(count + 2, 7)
    assert all(scale.low * 0.999 <= t <= scale.high * 1.001 for t in ticks)
    assert all(0 <= scale(v) <= 100 for v in values)


@pytest.mark.parametrize("values", [[], [math.nan], [0.0], [math.inf, -1.0]])
def test_an_axis_without_usable_values_still_has_a_range(values):
    scale = scale_for(values, 0, 100, log=True)
    assert 0 < scale.low < scale.high


def test_a_constant_has_room_around_it():
    assert scale_for([5.0, 5.0], 0, 100)(5.0) == pytest.approx(50)
    assert scale_for([0.0], 0, 100)(0.0) == pytest.approx(50)
    assert scale_for([1e-7], 0, 100, log=True)(1e-7) == pytest.approx(50)


def test_an_axis_from_zero_starts_there():
    assert scale_for([2.0, 3.0], 0, 100, zero=True).low == 0
    assert scale_for([-2.0, 3.0], 0, 100, zero=True).low < -2


def test_extreme_floats_do_not_overflow():
    scale = scale_for([5e-324, 1.7e308], 0, 100, log=True)
    assert 0 < scale.low < scale.high < math.inf
    assert scale.ticks(5)


def test_an_axis_writes_all_its_ticks_in_one_form():
    assert tick_labels([0.0, 0.5, 1.0]) == [("0", ""), ("0.5", ""), ("1", "")]
    assert tick_labels([1e-9, 1.0, 2e5]) == [("10", "-9"), ("1", ""), ("2 x 10", "5")]
    assert tick_labels([0.0, 5e-5, 1e-4]) == [("0", ""), ("5 x 10", "-5"), ("10", "-4")]
    assert tick_labels([]) == []


@given(st.lists(st.floats(0, 300), max_size=12))
def test_names_are_moved_apart_in_their_order(wanted):
    placed = spread(wanted, 15, 0, 300)
    assert all(b - a >= 15 - 1e-9 for a, b in pairwise(sorted(placed)))
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert [placed[i] for i in order] == sorted(placed)
    assert all(-1e-9 <= p <= 300 + 1e-9 for p in placed)


def test_names_with_room_stay_where_they_are():
    assert spread([250.0, 10.0, 100.0], 15, 0, 300) == [250.0, 10.0, 100.0]
