"""The frame of a chart: title, grid, ticks, shaded zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from initium.report.charts.scales import Scale, tick_labels
from initium.report.charts.svg import Svg, colour, group, label, shorten, tag, text_width


@dataclass(frozen=True, slots=True)
class Zone:
    """A shaded range of the vertical axis, such as where a signal is sound."""

    low: float
    high: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """Where data may stand, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


def heading(title: str, subtitle: str, width: float) -> Svg:
    """The title, and below it what the vertical axis means."""
    lines = [label(0, 15, shorten(title, width, 15), size=15, ink="ink", font_weight=600)]
    if subtitle:
        lines.append(label(0, 35, shorten(subtitle, width), size=12))
    return group(*lines)


def heading_height(subtitle: str) -> float:
    """Pixels that `heading` takes."""
    return 48 if subtitle else 30


def tick_text(x: float, y: float, written: tuple[str, str], anchor: str) -> Svg:
    """A tick's label, powers of ten with a raised exponent."""
    base, exponent = written
    raised = tag("tspan", exponent, dy=-4, font_size=9) if exponent else Svg("")
    return tag(
        "text", base, raised, x=x, y=y, font_size=12, text_anchor=anchor, fill=colour("muted"),
        style="font-variant-numeric:tabular-nums",
    )  # fmt: skip


def tick_width(ticks: Sequence[float]) -> float:
    """Width of the widest label of a vertical axis."""
    texts = tick_labels(ticks)
    return max((text_width(base) + 0.75 * text_width(exponent) for base, exponent in texts), default=0)


def rows(scale: Scale, box: Box, ticks: Sequence[float]) -> Svg:
    """The vertical axis: a grid line and a label per tick."""
    parts = []
    for tick, written in zip(ticks, tick_labels(ticks), strict=True):
        y = scale(tick)
        parts.append(
            tag("line", x1=box.left, x2=box.right, y1=y, y2=y, stroke=colour("grid"), stroke_width=1)
        )
        parts.append(tick_text(box.left - 8, y + 4, written, "end"))
    return group(*parts)


def columns(scale: Scale, box: Box, x_label: str, *, whole: bool = False, grid: bool = False) -> Svg:
    """The horizontal axis: its line, ticks and name.

    Args:
        scale: the axis.
        box: where the data stand.
        x_label: name of the axis.
        whole: ticks at whole numbers only.
        grid: lines through the whole box.
    """
    ticks = _column_ticks(scale, box, whole=whole and not scale.log)
    top = box.top if grid else box.bottom
    parts = [] if grid else [_axis_line(box)]
    for tick, written in zip(ticks, tick_labels(ticks), strict=True):
        x = scale(tick)
        ink = colour("grid" if grid else "axis")
        parts.append(tag("line", x1=x, x2=x, y1=top, y2=box.bottom + 5, stroke=ink, stroke_width=1))
        parts.append(tick_text(x, box.bottom + 19, written, "middle"))
    if x_label:
        parts.append(label((box.left + box.right) / 2, box.bottom + 38, x_label, anchor="middle"))
    return group(*parts)


def zone_areas(zones: Sequence[Zone], scale: Scale, box: Box) -> Svg:
    """The shaded ranges, behind everything."""
    parts = []
    for zone in zones:
        top, bottom = scale(zone.high), scale(zone.low)
        area = {"x": box.left, "y": top, "width": box.right - box.left, "height": bottom - top}
        parts.append(tag("rect", **area, fill=colour("zone"), fill_opacity=0.08))
    return group(*parts)


def zone_names(zones: Sequence[Zone], scale: Scale, box: Box) -> Svg:
    """Their names at the lower left, in front of everything."""
    halo = {"stroke": colour("ground"), "stroke_width": 3, "paint_order": "stroke", "stroke_opacity": 0.8}
    named = [zone for zone in zones if zone.label and scale(zone.low) - scale(zone.high) > 18]
    return group(
        *(label(box.left + 8, scale(z.low) - 6, z.label, size=11, ink="zone", **halo) for z in named)
    )


def _column_ticks(scale: Scale, box: Box, *, whole: bool) -> list[float]:
    ticks = scale.ticks(max(3, round((box.right - box.left) / 95)))
    if not whole:
        return ticks
    ticks = [tick for tick in ticks if tick == int(tick)]
    first = [scale.low] if ticks and scale(ticks[0]) - scale(scale.low) > 24 else []
    return first + ticks if scale.low == int(scale.low) else ticks


def _axis_line(box: Box) -> Svg:
    return tag(
        "line", x1=box.left, x2=box.right, y1=box.bottom, y2=box.bottom, stroke=colour("axis"), stroke_width=1
    )
