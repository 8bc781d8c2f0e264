from __future__ import annotations

import re

from initium.report.charts.axes import Box, Zone, columns, heading, rows, tick_width, zone_areas, zone_names
from initium.report.charts.scales import Scale

BOX = Box(40, 50, 540, 250)
LOG = Scale(1e-6, 1e2, BOX.bottom, BOX.top, log=True)


def words(svg):
    return re.findall(r">([^<>]+)<", svg)


def test_powers_of_ten_have_raised_exponents():
    drawn = rows(LOG, BOX, [1e-6, 1.0])
    assert words(drawn) == ["10", "-6", "1"]
    assert "dy=" in drawn
    assert tick_width([1e-6, 1.0]) > tick_width([1.0])


def test_counted_axes_start_with_their_first_number():
    drawn = columns(Scale(1, 20, BOX.left, BOX.right), BOX, "layer", whole=True)
    assert words(drawn) == ["1", "5", "10", "15", "20", "layer"]


def test_counted_axes_have_no_fractions():
    drawn = columns(Scale(0, 2, BOX.left, BOX.right), BOX, "", whole=True)
    assert words(drawn) == ["0", "1", "2"]


def test_zones_are_cut_to_the_box_and_named_where_there_is_room():
    zones = [Zone(1e-3, 1e9, "sound"), Zone(1.0, 1.1, "thin")]
    assert words(zone_names(zones, LOG, BOX)) == ["sound"]
    heights = [float(h) for h in re.findall(r' height="([\d.]+)"', zone_areas(zones, LOG, BOX))]
    assert heights[0] < BOX.bottom - BOX.top
    assert len(heights) == 2


def test_a_heading_has_a_second_line_only_if_needed():
    assert words(heading("title", "", 700)) == ["title"]
    assert words(heading("title", "unit", 700)) == ["title", "unit"]
