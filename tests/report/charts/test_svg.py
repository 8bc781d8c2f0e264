from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from initium.report.charts import svg
from initium.report.charts.svg import Svg, label, picture, shorten, standalone, tag, text_width

HOSTILE = "<script>alert(1)</script>\"'&\x00\x1b]0;x\x07"


def test_attributes_are_named_and_rounded():
    assert (
        tag("g", class_="a", stroke_width=2.0, x=1 / 3, y=None) == '<g class="a" stroke-width="2" x="0.33"/>'
    )


def test_text_and_attributes_are_escaped_and_markup_is_kept():
    inner = tag("b", HOSTILE, title=HOSTILE)
    outer = tag("a", inner, "<")

    assert "<script" not in outer
    assert outer.startswith("<a><b ")
    assert outer.endswith("&lt;</a>")


@given(st.text(), st.text())
def test_any_text_makes_well_formed_xml_that_says_it(name, title):
    element = ET.fromstring(tag("g", tag("text", name), title=title))
    assert svg.clean(title).replace("\n", " ").replace("\t", " ") == element.get("title")
    assert svg.clean(name) == (element[0].text or "")


def test_a_picture_is_named_and_described():
    drawn = picture(100, 50, "A title", "What it shows", label(1, 2, "x"))
    root = ET.fromstring(drawn)
    space = "{http://www.w3.org/2000/svg}"
    assert isinstance(drawn, Svg)
    assert [root[0].text, root[1].text] == ["A title", "What it shows"]
    assert [space + "title", space + "desc"] == [root[0].tag, root[1].tag]
    assert root.get("role") == "img"


def test_a_standalone_picture_brings_its_theme_for_light_and_dark():
    alone = standalone(picture(100, 50.5, "t", "d"))
    root = ET.fromstring(alone)
    assert root.get("viewBox") == "-16 -16 132 82.5"
    assert (root.get("width"), root.get("height")) == ("132", "82.5")
    assert "prefers-color-scheme: dark" in alone
    assert svg.SERIES[0] in alone
    assert svg.SERIES_DARK[0] in alone


def test_colours_repeat_after_the_last():
    assert svg.colour(0) == svg.colour(len(svg.SERIES))
    assert len(svg.SERIES) == len(svg.SERIES_DARK)


def test_long_names_lose_their_middle():
    name = "backbone.body.layer4.2.block.attention.projection.weight"
    short = shorten(name, 150)
    assert short.startswith("backbone")
    assert short.endswith(".weight")
    assert text_width(short) <= 160
    assert shorten("x", 150) == "x"
