from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.report.charts.axes import Zone
from initium.report.charts.charts import Series, line_chart

SPACE = "{http://www.w3.org/2000/svg}"
ANY = st.floats(allow_nan=True, allow_infinity=True)


def texts(svg):
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(SPACE + "text")]


def paths(svg):
    return [e.get("d") for e in ET.fromstring(svg).iter(SPACE + "path") if e.get("fill") == "none"]


def test_a_line_chart_says_what_it_shows():
    svg = line_chart(
        [Series("ours", [1, 2, 3], [1.0, 1.1, 0.9]), Series("torch", [1, 2, 3], [1.0, 1e-3, 1e-6])],
        title="Signal through depth",
        x_label="layer",
        y_label="second moment",
        y_log=True,
        zones=[Zone(1e-3, 1e3, "sound")],
    )
    assert {"Signal through depth", "layer", "second moment", "ours", "torch", "sound", "10-6"} <= set(
        texts(svg)
    )
    assert "ours goes from 1 to 0.9; torch goes from 1 to 1e-06." in svg
    assert len(paths(svg)) == 2


def test_points_are_where_the_axes_say():
    svg = line_chart([Series("a", [0, 1, 2], [0.0, 5.0, 10.0], markers=True)], title="t", y_zero=True)
    dots = [(float(e.get("cx")), float(e.get("cy"))) for e in ET.fromstring(svg).iter(SPACE + "circle")]
    assert dots[1][0] - dots[0][0] == pytest.approx(dots[2][0] - dots[1][0], abs=0.02)
    assert dots[0][1] - dots[1][1] == pytest.approx(dots[1][1] - dots[2][1], abs=0.02)
    assert dots[0][1] > dots[2][1]


def test_gaps_break_the_line_and_impossible_values_stand_at_the_border():
    values = [1.0, 0.1, math.nan, 0.01, 0.001, 0.0, math.inf]
    svg = line_chart([Series("a", list(range(7)), values)], title="t", y_log=True)
    assert len(paths(svg)) == 2
    triangles = [e.get("d") for e in ET.fromstring(svg).iter(SPACE + "path") if e.get("d").endswith("z")]
    assert len(triangles) == 2
    assert "l-4.5 8z" in triangles[0]
    assert "l-4.5 -8z" in triangles[1]


def test_a_single_point_is_visible():
    assert len(paths(line_chart([Series("a", [1], [2.0])], title="t"))) == 1


def test_bands_are_drawn_around_lines():
    svg = line_chart([Series("a", [0, 1], [1.0, 2.0], low=[0.5, 1.5], high=[1.5, 2.5])], title="t")
    assert svg.count('fill-opacity="0.16"') == 1


def test_tool_tips_name_points_and_are_left_out_of_long_lines():
    short = line_chart([Series("a", [0, 1], [1.0, 2.0], labels=["conv1", "conv2"])], title="t")
    long = line_chart([Series("a", list(range(5000)), [1.0] * 5000)], title="t")
    assert "a, conv2: 2" in short
    assert long.count("<title>") == 1


def test_names_of_lines_do_not_overlap():
    svg = line_chart([Series(f"n{i}", [0, 1], [0.0, 1.0]) for i in range(5)], title="t")
    named = [e for e in ET.fromstring(svg).iter(SPACE + "text") if re.fullmatch(r"n\d", e.text or "")]
    heights = sorted(float(e.get("y")) for e in named)
    assert all(b - a >= 14.9 for a, b in pairwise(heights))


def test_hostile_names_are_inert():
    evil = '"><script>alert(1)</script>'
    svg = line_chart([Series(evil, [0], [1.0], labels=[evil])], title=evil, x_label=evil, y_label=evil)
    assert "<script" not in svg
    ET.fromstring(svg)


@given(st.lists(st.tuples(ANY, ANY), max_size=20), st.booleans(), st.booleans())
def test_any_numbers_make_a_chart(pairs, x_log, y_log):
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    series = [Series("a", xs, ys, low=ys, high=ys)]
    svg = line_chart(series, title="t", x_log=x_log, y_log=y_log)
    written = [value for e in ET.fromstring(svg).iter() for value in e.attrib.values()]
    assert not [value for value in written if re.search(r"\b(nan|inf)\b", value)]


def test_ragged_series_are_refused():
    with pytest.raises(AssertionError, match="a y for each x"):
        Series("a", [1], [])
    with pytest.raises(AssertionError, match="two ends"):
        Series("a", [1, 2], [1, 2], low=[1], high=[1])
