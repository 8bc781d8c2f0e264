"""Elements of an SVG picture as text, with everything escaped."""

from __future__ import annotations

import html
import math
import re

from initium.report.format import clean


class Svg(str):
    """Markup whose foreign parts have been escaped; only this package makes it."""

    __slots__ = ()


SERIES = ("#0b6bcb", "#d4540a", "#0a8f6a", "#b4499a", "#9a7b00", "#2a9bd6", "#7a5cd0", "#6b7280")
"""Colours of the series on a light ground, the first four told apart by the colour-blind."""

SERIES_DARK = ("#62b0ff", "#ff9a5c", "#3ed6a8", "#f08fd4", "#e0c04a", "#8fd3f7", "#b49cff", "#a8b0bc")
"""The same on a dark ground."""

CHART_MARGIN = 16
"""Pixels around a picture that stands in a file of its own."""

_SVG_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)" width="[\d.]+" height="[\d.]+"')

INK = {
    "ink": ("#1b2330", "#e6eaf0"),
    "muted": ("#5b6675", "#9aa5b4"),
    "grid": ("#e4e8ee", "#2b3340"),
    "axis": ("#aeb7c4", "#4a5566"),
    "ground": ("#ffffff", "#12161d"),
    "zone": ("#0a8f6a", "#3ed6a8"),
}
"""Everything else: name -> (on light, on dark)."""


def colour(name: str | int) -> str:
    """A colour that follows the page's theme; a number is that of a series."""
    if isinstance(name, int):
        name %= len(SERIES)
        return f"var(--in-s{name}, {SERIES[name]})"
    return f"var(--in-{name}, {INK[name][0]})"


def variables(*, dark: bool) -> str:
    """The theme as CSS declarations."""
    series = SERIES_DARK if dark else SERIES
    pairs = [(f"s{i}", value) for i, value in enumerate(series)]
    pairs += [(name, values[dark]) for name, values in INK.items()]
    return " ".join(f"--in-{name}: {value};" for name, value in pairs)


def tag(name: str, *children: str, **attributes: object) -> Svg:
    """One element. Text children and attribute values are escaped; `Svg` children are kept as they are.

    `stroke_width=2` gives stroke-width="2", `class_="a"` gives class="a", None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(child if isinstance(child, Svg) else escape(child) for child in children)
    return Svg(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")


def group(*children: str, **attributes: object) -> Svg:
    """A `g` element."""
    return tag("g", *children, **attributes)


def label(
    x: float, y: float, text: str, *, size: float = 12, ink: str | int = "muted", **attributes: object
) -> Svg:
    """Text at a point; `anchor` is start, middle or end."""
    anchor = attributes.pop("anchor", "start")
    return tag("text", text, x=x, y=y, font_size=size, text_anchor=anchor, fill=colour(ink), **attributes)


def polyline(points: list[tuple[float, float]]) -> str:
    """The `d` attribute of a path through `points`."""
    return "M" + "L".join(f"{_value(x)} {_value(y)}" for x, y in points)


def escape(text: str) -> Svg:
    """`text` made inert in markup and in attribute values."""
    return Svg(html.escape(clean(text), quote=True))


def text_width(text: str, size: float = 12) -> float:
    """About how wide `text` is in the page's font, in pixels; errs on the wide side."""
    narrow = sum(character in "iljtfr.,:;'|!()[] " for character in text)
    wide = sum(ord(character) > 0x2E80 or character in "mwMW@%" for character in text)
    return size * (0.57 * len(text) - 0.24 * narrow + 0.33 * wide)


def shorten(text: str, width: float, size: float = 12) -> str:
    """`text`, cut in the middle to `width` pixels: the ends of a module's name tell most."""
    if text_width(text, size) <= width:
        return text
    keep = max(4, math.floor(len(text) * width / text_width(text, size)) - 2)
    return f"{text[: keep // 2]}..{text[-(keep - keep // 2) :]}"


def picture(width: float, height: float, title: str, description: str, *children: str) -> Svg:
    """A whole picture that scales with its column, named and described for those who cannot see it."""
    return tag(
        "svg",
        tag("title", title),
        tag("desc", description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
        class_="initium-chart",
        style="font-family:var(--in-font,system-ui,sans-serif)",
    )


def standalone(svg: Svg) -> Svg:
    """`svg` as a file of its own: with its theme, a margin, and the ground painted."""
    light, dark = variables(dark=False), variables(dark=True)
    found = _SVG_SIZE.search(svg)
    assert found is not None
    width, height = float(found[1]) + 2 * CHART_MARGIN, float(found[2]) + 2 * CHART_MARGIN
    box = (
        f'viewBox="-{CHART_MARGIN} -{CHART_MARGIN} {_value(width)} {_value(height)}" width="{_value(width)}" '
    )
    style = (
        f"<style>:root{{{light} --in-font: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif;}} "
        f"@media (prefers-color-scheme: dark) {{:root{{{dark}}}}}</style>"
    )
    ground = tag(
        "rect", x=-CHART_MARGIN, y=-CHART_MARGIN, width=width, height=height, rx=8, fill=colour("ground")
    )
    start = svg.index("<title>")
    head = _SVG_SIZE.sub(f'{box}height="{_value(height)}"', svg[:start])
    return Svg(f"{head}{style}{ground}{svg[start:]}\n")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(str(value))
