from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.report.bars import Bar, Strip, bar_chart, heat_strip

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


def test_strips_shade_by_powers_of_ten():
    svg = heat_strip([Strip("s", [1.0, 1e-3, 1e3, 1e-9, 0.0, math.inf, math.nan])], title="t", decades=6)
    shades = [(r.get("fill"), r.get("fill-opacity")) for r in rectangles(svg)[:13]]
    kinds = [(re.search("--in-(\\w+)", fill)[1], float(share or 1)) for fill, share in shades]
    overlays = [kind for kind in kinds if kind[0] != "mid"]
    assert overlays == [
        ("low", 0.5), ("high", 0.5), ("low", 1.0), ("low", 1.0), ("high", 1.0), ("ink", 0.85),
    ]  # fmt: skip
    assert "from 0 to inf" in svg


@given(st.lists(ANY, max_size=30), st.text(max_size=20))
def test_any_numbers_and_names_make_a_chart(values, name):
    bars = bar_chart([Bar(name, v, v, v) for v in values], title=name)
    logs = bar_chart([Bar(name, v, v, v) for v in values], title=name, x_log=True)
    strips = heat_strip([Strip(name, values, [name] * len(values))], title=name)
    for svg in (bars, logs, strips):
        for element in ET.fromstring(svg).iter():
            numbers = [element.get(key, "0") for key in ("x", "y", "width", "height", "cx", "cy")]
            assert all(math.isfinite(float(n)) for n in numbers)
