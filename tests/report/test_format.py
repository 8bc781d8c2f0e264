from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.report.format import cell, clean, duration, number, percent, some


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.0, "0"),
        (3.0, "3"),
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (2.303, "2.30"),
        (0.99996, "1.00"),
        (-0.0123456, "-0.0123"),
        (0.00123456, "0.00123"),
        (0.000999, "9.99e-04"),
        (99999.5, "100,000"),
        (1.23456e-7, "1.23e-07"),
        (1e-30, "1e-30"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_written_in_three_digits(value, written):
    assert written == number(value)


@given(st.floats(-1e300, 1e300))
def test_a_written_number_is_near_the_value(value):
    assert math.isclose(float(number(value).replace(",", "")), value, rel_tol=0.0051, abs_tol=5e-324)


def test_only_the_whole_is_a_hundred_per_cent():
    assert [percent(share) for share in (0.0, 0.001, 0.25, 0.999, 1.0, math.nan)] == [
        "0 %",
        "< 1 %",
        "25 %",
        "> 99 %",
        "100 %",
        "nan",
    ]


def test_durations_carry_over():
    assert [duration(s) for s in (0.002, 59.94, 59.96, 3600)] == ["2 ms", "59.9 s", "1 min 0 s", "1 h 0 min"]


def test_cells_take_any_value():
    assert [cell(v) for v in (None, True, False, 1000, 0.25, "a.b")] == [
        "",
        "yes",
        "no",
        "1,000",
        "0.25",
        "a.b",
    ]


@given(st.text())
def test_clean_text_holds_nothing_that_drives_a_terminal(text):
    cleaned = clean(text)
    assert all(c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160) for c in cleaned)
    assert cleaned == clean(cleaned)
    cleaned.encode()


def test_escape_sequences_and_direction_marks_are_shown_as_codes():
    assert clean("\x1b[2Jblock\u202etxt\x00") == r"\x1b[2Jblock\u202etxt\x00"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 more"),
    ],
)
def test_the_first_few_of_many_names(names, text):
    assert some(names) == text


def test_a_hostile_cell_is_inert():
    assert cell("a\x1b[31m\u202eb") == "a\\x1b[31m\\u202eb"
