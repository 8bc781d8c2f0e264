"""Charts with one row per name: bars, and strips of coloured cells through depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initium.report.axes import Box, columns, heading, heading_height
from initium.report.format import number
from initium.report.scales import Scale, scale_for
from initium.report.svg import Svg, colour, group, label, picture, shorten, tag, text_width

ROW = 28
"""Height of one row in pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Args:
        name: at its left.
        value: its length.
        low: lower end of an interval around the value; nan for none.
        high: upper end of the interval.
        hue: number of its colour.
    """

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    hue: int = 0


def bar_chart(
    bars: Sequence[Bar],
    *,
    title: str,
    x_label: str = "",
    x_log: bool = False,
    description: str = "",
    width: float = 720,
) -> Svg:
    """Horizontal bars with their values written out; on a logarithmic axis, dots, since it has no zero.

    Args:
        bars: from top to bottom.
        title: what the chart shows.
        x_label: meaning and unit of the length.
        x_log: logarithmic axis.
        description: read out to those who cannot see the chart.
        width: in pixels.
    """
    names = min(230.0, max((text_width(bar.name) for bar in bars), default=0) + 14)
    top = heading_height("")
    box = Box(names, top, width - 70, top + ROW * len(bars))
    values = [v for bar in bars for v in (bar.value, bar.low, bar.high)]
    scale = scale_for(values, box.left, box.right, log=x_log, zero=True)
    height = box.bottom + (48 if x_label else 28)
    return picture(
        width,
        height,
        title,
        description or "; ".join(f"{bar.name}: {number(bar.value)}" for bar in bars) + ".",
        heading(title, "", width),
        columns(scale, box, x_label, grid=True),
        *(_bar(bar, scale, top + ROW * i, names, dots=x_log) for i, bar in enumerate(bars)),
    )


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of cells.

    Args:
        name: at its left.
        values: one per cell; colours show how many powers of ten each is away from 1.
        labels: a name per cell, for tool tips.
    """

    name: str
    values: Sequence[float]
    labels: Sequence[str] = ()


def heat_strip(
    strips: Sequence[Strip],
    *,
    title: str,
    x_label: str = "",
    decades: float = 6.0,
    description: str = "",
    width: float = 720,
) -> Svg:
    """Cells through depth: pale at 1, blue the smaller, red the larger, inked where not a number.

    Args:
        strips: the rows; each fills the whole width whatever its number of cells.
        title: what the chart shows.
        x_label: what left to right means.
        decades: powers of ten at which the colour is full.
        description: read out to those who cannot see the chart.
        width: in pixels.
    """
    names = min(190.0, max((text_width(strip.name) for strip in strips), default=0) + 14)
    top = heading_height("")
    bottom = top + ROW * len(strips)
    cells = [_cells(s, top + ROW * i, names, width, decades) for i, s in enumerate(strips)]
    return picture(
        width,
        bottom + 34,
        title,
        description or "; ".join(_described(strip) for strip in strips) + ".",
        heading(title, "", width),
        *cells,
        label(names, bottom + 22, x_label),
        _key(width, bottom + 12, decades),
    )


def _bar(bar: Bar, scale: Scale, top: float, names: float, *, dots: bool) -> Svg:
    middle, end = top + ROW / 2, scale(bar.value)
    start = scale.start if scale.log else scale(0.0)
    ink = colour(bar.hue)
    parts = [label(names - 10, middle + 4, shorten(bar.name, names - 12), ink="ink", anchor="end")]
    left, long = min(start, end), abs(end - start)
    if dots and scale.holds(bar.value):
        parts.append(tag("rect", x=left, y=middle - 1, width=long, height=2, fill=ink, fill_opacity=0.4))
        parts.append(tag("circle", cx=end, cy=middle, r=5.5, fill=ink))
    elif scale.holds(bar.value):
        parts.append(tag("rect", x=left, y=top + 5, width=max(long, 1.0), height=ROW - 10, rx=2.5, fill=ink))
    after = end
    if not (math.isnan(bar.low) or math.isnan(bar.high)):
        parts.append(_interval(scale(bar.low), scale(bar.high), middle))
        after = max(end, scale(bar.high))
    parts.append(label(after + (10 if dots else 7), middle + 4, number(bar.value), ink="ink"))
    return group(*parts)


def _interval(low: float, high: float, y: float) -> Svg:
    path = f"M{low:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}M{high:.1f} {y - 4:.1f}v8"
    return tag("path", d=path, stroke=colour("ink"), stroke_width=1.5, fill="none")


def _cells(strip: Strip, top: float, left: float, width: float, decades: float) -> Svg:
    step = (width - left) / max(len(strip.values), 1)
    gap = 1.0 if step > 4 else 0.0
    parts = [label(left - 10, top + ROW / 2 + 4, shorten(strip.name, left - 12), ink="ink", anchor="end")]
    for i, value in enumerate(strip.values):
        name = strip.labels[i] if strip.labels else str(i + 1)
        tip = tag("title", f"{strip.name}, {name}: {number(value)}")
        area = {"x": left + i * step, "y": top + 2, "width": step - gap, "height": ROW - 4}
        parts.append(tag("rect", tip, **area, fill=colour("mid")))
        ink, share = _shade(value, decades)
        if share > 0:
            parts.append(tag("rect", tip, **area, fill=colour(ink), fill_opacity=round(share, 3)))
    return group(*parts)


def _shade(value: float, decades: float) -> tuple[str, float]:
    """Colour and opacity of a cell."""
    if math.isnan(value):
        return "ink", 0.85
    if value <= 0 or math.isinf(value):
        return ("high" if value > 0 else "low"), 1.0
    size = math.log10(value) / decades
    return ("high" if size > 0 else "low"), min(1.0, abs(size))


def _key(width: float, y: float, decades: float) -> Svg:
    """What the colours mean, at the lower right."""
    parts, step = [], 15.0
    shades = [-1.0, -0.66, -0.33, 0.0, 0.33, 0.66, 1.0]
    left = width - step * len(shades) - 34
    for i, share in enumerate(shades):
        area = {"x": left + i * step, "y": y, "width": step, "height": 10}
        parts.append(tag("rect", **area, fill=colour("mid")))
        ink = colour("high" if share > 0 else "low")
        parts.append(tag("rect", **area, fill=ink, fill_opacity=abs(share)))
    power = f"{decades:.0f}"
    parts.append(_power(left - 6, y + 10, f"-{power}", "end"))
    parts.append(_power(left + step * len(shades) + 6, y + 10, power, "start"))
    return group(*parts)


def _power(x: float, y: float, exponent: str, anchor: str) -> Svg:
    raised = tag("tspan", exponent, dy=-4, font_size=9)
    return tag("text", "10", raised, x=x, y=y, font_size=12, text_anchor=anchor, fill=colour("muted"))


def _described(strip: Strip) -> str:
    seen = [v for v in strip.values if not math.isnan(v)]
    return (
        f"{strip.name}: from {number(min(seen))} to {number(max(seen))}" if seen else f"{strip.name}: no data"
    )
