"""Charts with one bar per name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initium.report.charts.axes import Box, columns, heading, heading_height
from initium.report.charts.scales import Scale, scale_for
from initium.report.charts.svg import Svg, colour, group, label, picture, shorten, tag, text_width
from initium.report.format import number

ROW_HEIGHT = 28
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
    box = Box(names, top, width - 70, top + ROW_HEIGHT * len(bars))
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
        *(_bar(bar, scale, top + ROW_HEIGHT * i, names, dots=x_log) for i, bar in enumerate(bars)),
    )


def _bar(bar: Bar, scale: Scale, top: float, names: float, *, dots: bool) -> Svg:
    middle, end = top + ROW_HEIGHT / 2, scale(bar.value)
    start = scale.start if scale.log else scale(0.0)
    ink = colour(bar.hue)
    parts = [label(names - 10, middle + 4, shorten(bar.name, names - 12), ink="ink", anchor="end")]
    left, long = min(start, end), abs(end - start)
    if dots and scale.holds(bar.value):
        parts.append(tag("rect", x=left, y=middle - 1, width=long, height=2, fill=ink, fill_opacity=0.4))
        parts.append(tag("circle", cx=end, cy=middle, r=5.5, fill=ink))
    elif scale.holds(bar.value):
        parts.append(
            tag("rect", x=left, y=top + 5, width=max(long, 1.0), height=ROW_HEIGHT - 10, rx=2.5, fill=ink)
        )
    after = end
    if not (math.isnan(bar.low) or math.isnan(bar.high)):
        parts.append(_interval(scale(bar.low), scale(bar.high), middle))
        after = max(end, scale(bar.high))
    parts.append(label(after + (10 if dots else 7), middle + 4, number(bar.value), ink="ink"))
    return group(*parts)


def _interval(low: float, high: float, y: float) -> Svg:
    path = f"M{low:.1f} {y - 4:.1f}v8M{low:.1f} {y:.1f}H{high:.1f}M{high:.1f} {y - 4:.1f}v8"
    return tag("path", d=path, stroke=colour("ink"), stroke_width=1.5, fill="none")
