"""The arena as one picture: on how many nets a start came how near to the best of all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.arena_kit.table import Row

from initium.report.charts.charts import Series, line_chart
from initium.report.charts.svg import Svg

NEAREST, FARTHEST, POINTS = 0.01, 3.0, 120
NAMES = {"xavier": "Xavier", "he": "He", "lsuv": "LSUV", "anyinit": "AnyInit", "anyinit-emp": "AnyInit, data"}


def profile(rows: Sequence[Row]) -> Svg:
    """For each start the share of nets whose loss is within x of the best (Dolan and More, 2002, performance profiles).

    A net that has not learned is within no distance. Starts that are not on every net are left out.
    """
    labels = [label for label in rows[0].losses if all(label in row.losses for row in rows)]
    step = math.log(FARTHEST / NEAREST) / POINTS
    x = [NEAREST * math.exp(step * i) for i in range(POINTS + 1)]
    lines = {label: [100.0 * within(rows, label, limit) for limit in x] for label in labels}
    first = sorted(labels, key=lambda label: -sum(lines[label]))
    return line_chart(
        [Series(NAMES.get(label, label), [100.0 * one for one in x], lines[label]) for label in first],
        title=f"How near each start comes to the best of all, on {len(rows)} nets",
        y_label="nets within that distance, %",
        x_label="final training loss above that of the best start, %",
        x_log=True,
        y_zero=True,
        height=380,
    )


def within(rows: Sequence[Row], label: str, limit: float) -> float:
    """Share of the nets on which a start learns with a regret of at most `limit`."""
    return sum(row.regret(label) <= limit and not row.dead(label) for row in rows) / len(rows)
