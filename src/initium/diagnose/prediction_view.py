"""Predicted and measured second moments, as a part of a report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from initium.diagnose.prediction import Predicted, predict
from initium.record import Record
from initium.report import Block, Facts, Figure, Section, Series, Table, line_chart
from initium.report.svg import Svg


def predicted_section(seen: Record) -> Iterator[Section]:
    """What theory predicts at every weighted site beside what was measured; nothing where there was no run."""
    found = [one for one in predict(seen) if one.measured is not None]
    spoken = [one for one in found if not one.outside]
    if len(spoken) < 2:
        return
    reasons = Counter(one.outside or one.restarted for one in found if one.outside or one.restarted)
    through = sum(not one.restarted for one in spoken)
    slopes = [one.gradient for one in found if one.gradient is not None and not one.gradient.outside]
    facts: list[tuple[str, object]] = [
        ("weighted sites", len(found)),
        ("theory speaks of", len(spoken)),
        ("predicted throughout", through),
        ("within their error bar", sum(one.inside for one in spoken)),
        ("gradients predicted", len(slopes)),
        ("gradients within their error bar", sum(one.inside for one in slopes)),
        *(("outside the theory", f"{reason} ({count})") for reason, count in reasons.most_common(5)),
    ]
    blocks: list[Block] = [Facts(facts), Figure(_chart(found), "Measured against predicted second moments")]
    off = [one for one in spoken if not one.inside]
    if off:
        rows = [[one.names[0], one.second, one.low, one.high, one.measured, one.restarted] for one in off]
        columns = [
            "outside its bar",
            "predicted",
            "from",
            "to",
            "measured",
            "predicted from a measurement after",
        ]
        blocks.append(Table(columns, rows, limit=24))
    yield Section("Predicted and measured", blocks, folded=True)


def _chart(found: list[Predicted]) -> Svg:
    place = list(range(1, len(found) + 1))
    labels = [one.names[0] for one in found]
    known = [math.nan if one.outside else one.second for one in found]
    low = [math.nan if one.outside else one.low for one in found]
    high = [math.nan if one.outside else one.high for one in found]
    measured = [math.nan if one.measured is None else one.measured for one in found]
    return line_chart(
        [
            Series("predicted", place, known, low=low, high=high, labels=labels, dashed=True, markers=False),
            Series("measured", place, measured, labels=labels, markers=len(found) < 60),
        ],
        title="Predicted and measured second moments",
        x_label="weighted site",
        y_label="E[z^2]",
        y_log=True,
    )
