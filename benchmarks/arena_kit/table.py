"""What the arena shows: losses, who is dead, ranks, regrets, and where `auto` is statistically worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from initium.study.contest.statistics import EQUIVALENCE_MARGIN, Relation, mean_ranks, paired, relation

DEAD = 0.95
"""Share of the loss of a model that knows nothing from which a net counts as dead."""


@dataclass(frozen=True)
class Row:
    """How the starts did on one net, each at its own best learning rate.

    Args:
        name: of the net.
        losses: label -> final training loss, one a seed; inf for a start that failed.
        chance: loss of a model that knows nothing.
        normed: whether the net has normalization layers.
    """

    name: str
    losses: Mapping[str, Sequence[float]]
    chance: float
    normed: bool = False

    def mean(self, label: str) -> float:
        """Mean loss over seeds."""
        return fmean(self.losses[label])

    @property
    def best(self) -> str:
        """The start with the lowest mean."""
        return min(self.losses, key=self.mean)

    def dead(self, label: str) -> bool:
        """Whether the start has not learned."""
        return self.mean(label) >= DEAD * self.chance

    def regret(self, label: str) -> float:
        """How much higher its loss is than that of the best, as a share."""
        return self.mean(label) / self.mean(self.best) - 1.0

    def against(self, label: str, other: str) -> Relation:
        """What one start is to another, by the paired test and the region of practical equivalence."""
        if label == other or min(len(self.losses[one]) for one in (label, other)) < 2:
            return "tie"
        found = paired(self.losses[label], self.losses[other])
        margin = EQUIVALENCE_MARGIN * min(self.mean(label), self.mean(other))
        return relation(found, p=found.p, margin=margin)


def table(rows: Sequence[Row]) -> str:
    """All cells, then the totals of every start."""
    labels = list(dict.fromkeys(label for row in rows for label in row.losses))
    lines = [
        f"{'net':34}"
        + "".join(f"{label:>12}" for label in labels)
        + "   auto: rank  regret  against the best"
    ]
    lines += [_line(row, labels) for row in rows]
    lines += ["", f"{'start':14} mean regret  worst regret learns  mean rank  worse than the best"]
    lines += [_total(rows, label) for label in labels]
    normed = [row for row in rows if row.normed and "shipped" in row.losses and "auto" in row.losses]
    for row in normed:
        lines.append(f"{row.name}: with norms, auto against shipped: {row.against('auto', 'shipped')}")
    return "\n".join(lines)


def _line(row: Row, labels: Sequence[str]) -> str:
    cells = "".join(f"{_loss(row, label):>12}" for label in labels)
    if "auto" not in row.losses:
        return f"{row.name:34}{cells}"
    told = (
        f"{_rank(row, 'auto'):13.1f} {row.regret('auto'):7.1%}  {row.against('auto', row.best)} ({row.best})"
    )
    return f"{row.name:34}{cells}{told}"


def _loss(row: Row, label: str) -> str:
    if label not in row.losses:
        return "-"
    mean = row.mean(label)
    mark = " dead" if row.dead(label) else "*" if label == row.best else ""
    return "failed" if mean == float("inf") else f"{mean:.3f}{mark}"


def _rank(row: Row, label: str) -> float:
    """Its mean rank over seeds, 1 for the best."""
    order = list(row.losses)
    return mean_ranks([row.losses[one] for one in order])[order.index(label)]


def _total(rows: Sequence[Row], label: str) -> str:
    mine = [row for row in rows if label in row.losses]
    regrets = [row.regret(label) for row in mine]
    learns = fmean(not row.dead(label) for row in mine)
    worse = fmean(row.against(label, row.best) == "worse" for row in mine)
    ranks = fmean(_rank(row, label) for row in mine)
    return f"{label:14} {fmean(regrets):11.1%} {max(regrets):13.1%} {learns:6.0%} {ranks:10.1f} {worse:20.0%}"
