"""Predicted and measured second moments, as a part of a report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from initium.predict.prediction import Bar, Predicted
from initium.report import Block, Facts, Figure, Section, Series, Table, line_chart
from initium.report.charts.svg import Svg


def predicted_section(found: Sequence[Predicted]) -> Iterator[Section]:
    """What theory predicts at every weighted site, beside what was measured; nothing where it speaks of none."""
    spoken = [one for one in found if not one.outside]
    if len(spoken) < 2:
        return
    names = [one.names[0] for one in found]
    bars: list[Bar | None] = list(found)
    blocks: list[Block] = [
        Facts(_facts(found)),
        Figure(_chart(names, bars, "E[z^2]"), "Second moments of the signal"),
    ]
    slopes = [one.gradient for one in found]
    if sum(one is not None and not one.outside for one in slopes) > 1:
        blocks.append(Figure(_chart(names, slopes, "E[g^2]"), "Second moments of the gradient"))
    rows = [*_off(names, bars), *_off([f"gradient at {name}" for name in names], slopes)]
    if rows:
        blocks.append(Table(["outside its bar", "predicted", "from", "to", "measured"], rows, limit=24))
    was_measured = any(one.measured is not None for one in found)
    yield Section("Predicted and measured" if was_measured else "Predicted", blocks, folded=True)


def _facts(found: Sequence[Predicted]) -> list[tuple[str, object]]:
    spoken = [one for one in found if not one.outside]
    slopes = [one.gradient for one in found if one.gradient is not None and not one.gradient.outside]
    reasons = Counter(one.outside or one.restarted for one in found if one.outside or one.restarted)
    facts: list[tuple[str, object]] = [
        ("weighted sites", len(found)),
        ("theory speaks of", len(spoken)),
        ("predicted throughout", sum(not one.restarted for one in spoken)),
        *_inside("within their error bar", spoken),
        ("gradients predicted", len(slopes)),
        *_inside("gradients within their error bar", slopes),
    ]
    return facts + [("outside the theory", f"{reason} ({count})") for reason, count in reasons.most_common(5)]


def _inside(label: str, bars: Sequence[Bar]) -> Iterator[tuple[str, object]]:
    """How many bars hold what was measured, if anything was."""
    known = [one for one in bars if one.measured is not None]
    if known:
        yield label, sum(one.inside for one in known)


def _off(names: Sequence[str], bars: Sequence[Bar | None]) -> Iterator[list[object]]:
    """A row for each bar that does not hold what was measured."""
    for name, one in zip(names, bars, strict=True):
        if one is not None and not one.outside and not one.inside:
            yield [name, one.second, one.low, one.high, one.measured]


def _chart(names: list[str], bars: Sequence[Bar | None], label: str) -> Svg:
    place = list(range(1, len(bars) + 1))
    spoken = [None if one is None or one.outside else one for one in bars]
    known = [math.nan if one is None else one.second for one in spoken]
    low = [math.nan if one is None else one.low for one in spoken]
    high = [math.nan if one is None else one.high for one in spoken]
    measured = [math.nan if one is None or one.measured is None else one.measured for one in bars]
    lines = [Series("predicted", place, known, low=low, high=high, labels=names, dashed=True, markers=False)]
    if any(math.isfinite(value) for value in measured):
        lines.append(Series("measured", place, measured, labels=names, markers=len(bars) < 60))
    title = " and ".join(line.name for line in lines).capitalize() + " second moments"
    return line_chart(lines, title=title, x_label="weighted site", y_label=label, y_log=True)
