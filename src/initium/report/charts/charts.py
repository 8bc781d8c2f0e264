"""Lines on two axes as inline SVG. No script, no file and no font is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from initium.report.charts.axes import (
    Box,
    Zone,
    columns,
    heading,
    heading_height,
    rows,
    tick_width,
    zone_areas,
    zone_names,
)
from initium.report.charts.scales import Scale, scale_for, spread
from initium.report.charts.svg import Svg, colour, group, label, picture, polyline, shorten, tag, text_width
from initium.report.format import number

MAX_HOVER = 800
"""Points that get a tool tip of their own; more would make the page heavy."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Args:
        name: written at its end.
        x: positions.
        y: values; nan is a gap, an infinite or (on a logarithmic axis) zero value a triangle at the border.
        low: lower end of a band around the line, as many as `y`; empty for none.
        high: upper end of the band.
        labels: a name per point, for tool tips.
        dashed: for references.
        hue: number of its colour; None takes the next one.
        markers: a dot at each point.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    labels: Sequence[str] = ()
    dashed: bool = False
    hue: int | None = None
    markers: bool = False

    def __post_init__(self) -> None:
        """Refuses lists of different length, a bug of the caller."""
        assert len(self.x) == len(self.y), "a series has a y for each x"
        assert len(self.low) == len(self.high), "a band has two ends"
        assert len(self.low) in (0, len(self.y)), "a band has two ends at each x"
        assert len(self.labels) in (0, len(self.y)), "a series has a name for each point or none"


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    x_log: bool = False,
    y_log: bool = False,
    y_zero: bool = False,
    zones: Sequence[Zone] = (),
    description: str = "",
    width: float = 720,
    height: float = 320,
) -> Svg:
    """Lines with their names at the right end.

    Args:
        series: the lines, first one in front.
        title: what the chart shows, best as a statement.
        x_label: below the axis.
        y_label: below the title, with its unit.
        x_log: logarithmic horizontal axis.
        y_log: logarithmic vertical axis.
        y_zero: a linear vertical axis that starts at zero.
        zones: shaded ranges of y.
        description: read out to those who cannot see the chart; by default made from first and last values.
        width: in pixels; the picture shrinks with its column.
        height: in pixels.
    """
    names_width = _names_width(series)
    box = Box(0, heading_height(y_label), width - names_width - 14, height - (48 if x_label else 28))
    y_scale = scale_for(_heights(series), box.bottom, box.top, log=y_log, zero=y_zero)
    ticks = y_scale.ticks(max(3, round((box.bottom - box.top) / 48)))
    box = Box(tick_width(ticks) + 14, box.top, box.right, box.bottom)
    x_values = [x for one in series for x in one.x]
    x_scale = scale_for(x_values, box.left, box.right, log=x_log, tight=True)
    whole = all(x == int(x) for x in x_values if math.isfinite(x))
    hover = sum(len(one.x) for one in series) <= MAX_HOVER
    drawn = [_line(one, _hue(one, i), x_scale, y_scale, hover=hover) for i, one in enumerate(series)]
    return picture(
        width,
        height,
        title,
        description or _described(series),
        heading(title, y_label, width),
        zone_areas(zones, y_scale, box),
        rows(y_scale, box, ticks),
        columns(x_scale, box, x_label, whole=whole),
        *reversed(drawn),
        zone_names(zones, y_scale, box),
        _names(series, y_scale, box, width),
    )


def _line(one: Series, hue: int, x_scale: Scale, y_scale: Scale, *, hover: bool) -> Svg:
    ink = colour(hue)
    parts = [*_band(one, ink, x_scale, y_scale)]
    dash = "5 4" if one.dashed else None
    for run in _runs(one, x_scale, y_scale):
        path = polyline(run if len(run) > 1 else [run[0], (run[0][0] + 0.1, run[0][1])])
        parts.append(
            tag(
                "path", d=path, fill="none", stroke=ink, stroke_width=2.25, stroke_dasharray=dash,
                stroke_linejoin="round", stroke_linecap="round",
            )
        )  # fmt: skip
    for i, (x, y) in enumerate(zip(one.x, one.y, strict=True)):
        if math.isnan(y) or not x_scale.holds(x):
            continue
        point = one.labels[i] if one.labels else number(x)
        tip = tag("title", f"{one.name}, {point}: {number(y)}")
        if not y_scale.holds(y):
            parts.append(_beyond(x_scale(x), y_scale(y), ink, tip, up=y > 0))
        elif one.markers:
            parts.append(tag("circle", tip if hover else "", cx=x_scale(x), cy=y_scale(y), r=3, fill=ink))
        elif hover:
            parts.append(tag("circle", tip, cx=x_scale(x), cy=y_scale(y), r=6, fill_opacity=0))
    return group(*parts)


def _beyond(x: float, y: float, ink: str, tip: Svg, *, up: bool) -> Svg:
    """A triangle at the border: this value has no place on the axis."""
    y = y + 6 if up else y - 6
    tall = -8 if up else 8
    return tag("path", tip, d=f"M{x - 4.5:.1f} {y - tall / 2:.1f}h9l-4.5 {tall}z", fill=ink)


def _runs(one: Series, x_scale: Scale, y_scale: Scale) -> Iterator[list[tuple[float, float]]]:
    """Unbroken pieces of the line, in pixels."""
    run: list[tuple[float, float]] = []
    for x, y in zip(one.x, one.y, strict=True):
        if x_scale.holds(x) and y_scale.holds(y):
            run.append((x_scale(x), y_scale(y)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _band(one: Series, ink: str, x_scale: Scale, y_scale: Scale) -> Iterator[Svg]:
    edges = [
        (x_scale(x), y_scale(low), y_scale(high))
        for x, low, high in zip(one.x, one.low, one.high, strict=False)
        if x_scale.holds(x) and not (math.isnan(low) or math.isnan(high))
    ]
    if len(edges) > 1:
        around = [(x, high) for x, _, high in edges] + [(x, low) for x, low, _ in reversed(edges)]
        yield tag("path", d=polyline(around) + "z", fill=ink, fill_opacity=0.16, stroke="none")


def _names(series: Sequence[Series], y_scale: Scale, box: Box, width: float) -> Svg:
    """Each line's name beside its last point, moved apart where they would overlap."""
    shown = [(i, one) for i, one in enumerate(series) if one.name and len(one.y)]
    wanted = [y_scale(_last(one.y)) for _, one in shown]
    parts = []
    for (i, one), y in zip(shown, spread(wanted, 15, box.top + 6, box.bottom), strict=True):
        text = shorten(one.name, (width - box.right - 14) / 1.12)
        parts.append(label(box.right + 10, y + 4, text, ink=_hue(one, i), font_weight=600))
    return group(*parts)


def _names_width(series: Sequence[Series]) -> float:
    widest = max((text_width(one.name) for one in series), default=0)
    return min(190.0, widest * 1.15 + 6) if widest else 0.0


def _heights(series: Sequence[Series]) -> list[float]:
    return [y for one in series for ys in (one.y, one.low, one.high) for y in ys]


def _last(values: Sequence[float]) -> float:
    return next((v for v in reversed(values) if not math.isnan(v)), math.nan)


def _hue(one: Series, position: int) -> int:
    return position if one.hue is None else one.hue


def _described(series: Sequence[Series]) -> str:
    ends = (f"{s.name or 'line'} goes from {number(s.y[0])} to {number(s.y[-1])}" for s in series if len(s.y))
    return "; ".join(ends) + "." if series else "No data."
