from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.report.charts.bars import Bar, bar_chart

SPACE = "{http://www.w3.org/2000/svg}"
ANY = st.floats(allow_nan=True, allow_infinity=True)


def rectangles(svg):
    return list(ET.fromstring(svg).iter(SPACE + "rect"))


def test_bars_are_as_long_as_their_values():
    svg = bar_chart([Bar("a", 1.0), Bar("b", 2.0, 1.5, 2.5)], title="Loss", x_label="nats")
    long = [float(r.get("width")) for r in rectangles(svg)]
    assert long[1] == pytest.approx(2 * long[0], abs=0.05)
    assert "a: 1; b: 2." in svg


def test_negative_bars_start_at_zero_too():
    svg = bar_chart([Bar("a", -1.0), Bar("b", 1.0)], title="t")
    left, right = rectangles(svg)
    assert float(left.get("x")) + float(left.get("width")) == pytest.approx(float(right.get("x")), abs=0.05)


def test_a_logarithmic_axis_has_dots():
    svg = bar_chart([Bar("a", 1e-6), Bar("b", 1.0)], title="t", x_log=True)
    assert len(list(ET.fromstring(svg).iter(SPACE + "circle"))) == 2


@given(st.lists(ANY, max_size=30), st.text(max_size=20))
def test_any_numbers_and_names_make_a_chart(values, name):
    bars = bar_chart([Bar(name, v, v, v) for v in values], title=name)
    logs = bar_chart([Bar(name, v, v, v) for v in values], title=name, x_log=True)
    for svg in (bars, logs):
        for element in ET.fromstring(svg).iter():
            numbers = [element.get(key, "0") for key in ("x", "y", "width", "height", "cx", "cy")]
            assert all(math.isfinite(float(n)) for n in numbers)
