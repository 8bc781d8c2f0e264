"""A comparison as a document: the outcome, the ranking, and the charts behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version

from initium.report import (
    Bar,
    Block,
    Document,
    Facts,
    Figure,
    Level,
    Mark,
    Prose,
    Section,
    Series,
    Table,
    Verdict,
    bar_chart,
    document_of,
    duration,
    line_chart,
    number,
)
from initium.study.contest.comparison import Comparison
from initium.study.contest.race import Pair
from initium.study.contest.sentences import NOT_TOLD_APART
from initium.study.contest.standing import Standing

HEALTH: dict[str, Level] = {"healthy": "good", "warning": "warning", "unhealthy": "error"}
MOST_LINES = 10
"""Inits in a chart with one line each."""
LOSS_LABEL = "mean training loss over the run"
PARTNERS = ("init", "seeds", "a tie with (not told apart)", "told apart from")


@document_of.register
def document(one: Comparison) -> Document:
    """Outcome, ranking, curves, learning rates, cost."""
    sections = [_said(one), _ranking(one), *_others(one)]
    if one.ranking:
        sections += [Section("The race in pictures", list(_figures(one))), _cost(one)]
    sections.append(_about(one))
    title = f"{one.model} on {one.task}: {len(one.standings)} inits compared"
    return Document(title, _verdict(one), sections, f"initium {version('initium')}")


def _verdict(one: Comparison) -> Verdict:
    first, *_ = one.sentences
    if not one.finished:
        return Verdict("note", "under way", first)
    if one.winner is None:
        return Verdict("note", "no winner", first.removeprefix("No winner: "))
    return Verdict("good" if one.decision.confirmed else "warning", "winner", first)


def _said(one: Comparison) -> Section:
    rest = one.sentences[1:]
    return Section("What the study says", "\n\n".join(rest) if rest else "Nothing more.")


def _ranking(one: Comparison) -> Section:
    above = {pair.second: pair for pair in one.decision.neighbours}
    columns = [
        "", "init", "after the one above", "loss", "final loss", one.metric, "in training", "lr", "seeds", "start",
    ]  # fmt: skip
    rows = [
        _row(place, standing, above.get(standing.name)) for place, standing in enumerate(one.standings, 1)
    ]
    note = (
        "Loss: mean training loss over the whole run, lower is better, each init at its own best learning rate (lr). "
        f"After the last step: {one.metric} on the test samples, and on as many of those trained on. "
        "Seeds: those of the race, and fresh ones; where an init has fresh ones, its figures are theirs."
    )
    return Section("Ranking", [Table(columns, rows), Prose(note)])


def _row(place: int, one: Standing, pair: Pair | None) -> list[object]:
    if not one.best or one.failure:
        state = Mark("failed", "error") if one.failure else Mark("no results yet", "note")
        return [None, one.name, state, None, None, None, None, one.lr, len(one.best), None]
    fresh = sum(score.fresh for score in one.best)
    seeds = f"{len(one.best) - fresh} + {fresh}" if fresh else str(len(one.best))
    return [
        place, one.name, _relation(pair), one.mean("area"), one.mean("final_loss"), one.mean("metric"),
        _known(one.mean("train_metric")), one.lr, seeds, _health(one),
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _relation(pair: Pair | None) -> object:
    if pair is None:
        return None
    change = pair.difference.shares[0]
    against = -change / (1 + change) if change > -1 else math.inf  # as a share of the one above
    size = f"{100 * against:+.{0 if abs(against) >= 0.1 else 1}f} %"
    if pair.relation == "tie":
        return Mark(f"{size}, equal", "note")
    if pair.relation == "undecided":
        return Mark(f"{size}, not told apart", "note")
    return f"{size}, {'confirmed' if pair.fresh else 'seen'}"


def _others(one: Comparison) -> Iterator[Section]:
    """Every pair of those that were not confirmed."""
    decision = one.decision
    pairs = [pair for pair in decision.pairs if {pair.first, pair.second} <= set(decision.others)]
    if not pairs:
        return
    rows = [[name, *_partners(name, pairs)] for name in decision.others]
    widths = sorted(high - low for _, low, high in (pair.difference.shares for pair in pairs))
    note = (
        "Paired t-tests on the seeds that both ran in the race, each at its best learning rate, corrected for all "
        f"{len(pairs)} pairs (Holm). Nothing here is confirmed, and few seeds tell large differences only: half of "
        f"these differences are known to ± {50 * widths[len(widths) // 2]:.0f} % of the loss or worse."
    )
    yield Section("Those that were not confirmed, against one another", [Table(PARTNERS, rows), Prose(note)])


def _partners(name: str, pairs: list[Pair]) -> list[object]:
    """Seeds, and the other names of its pairs by what is known of them."""
    ours = [pair for pair in pairs if name in (pair.first, pair.second)]
    tied = [_other(pair, name) for pair in ours if pair.relation in NOT_TOLD_APART]
    apart = [_other(pair, name) for pair in ours if pair.relation not in NOT_TOLD_APART]
    seeds = max((pair.difference.num for pair in ours), default=0)
    return [seeds, ", ".join(tied) or None, ", ".join(apart) or None]


def _other(pair: Pair, name: str) -> str:
    other = pair.second if pair.first == name else pair.first
    return f"{other} (equal)" if pair.relation == "tie" else other


def _health(one: Standing) -> object:
    verdicts = [score.verdict for score in one.best]
    worst = max(verdicts, key=lambda v: list(HEALTH).index(v) if v in HEALTH else -1)
    return Mark(worst, HEALTH.get(worst, "note"))


def _figures(one: Comparison) -> Iterator[Block]:
    ranked = [standing for standing in one.standings if standing.name in one.ranking]
    shown = ranked[:MOST_LINES]
    lines = [_curve(standing, i) for i, standing in enumerate(shown) if standing.curve.steps]
    if lines:
        chart = line_chart(
            lines, title="Learning curves", x_label="step", y_label="training loss, mean of the seeds; bands: lowest "
            "to highest of the first three",
        )  # fmt: skip
        yield Figure(chart, "Learning curves at each init's best learning rate: " + _finals(shown))
    yield Figure(
        bar_chart(
            _bars(one, ranked),
            title="Rank plot: loss and how sure its distance to the first is",
            x_label=LOSS_LABEL,
        ),
        "Bars: loss on the seeds shared with the first. Whiskers: 95 % interval of the paired difference to the first.",
    )
    rates = [_sensitivity(standing, i) for i, standing in enumerate(shown) if len(standing.by_rate()) > 1]
    if rates:
        chart = line_chart(
            rates,
            title="Sensitivity to the learning rate",
            x_label="learning rate",
            y_label=LOSS_LABEL,
            x_log=True,
        )
        yield Figure(chart, "Flat lines forgive a badly chosen learning rate.")


def _curve(one: Standing, place: int) -> Series:
    curve = one.curve
    banded = place < 3
    return Series(
        one.name,
        curve.steps,
        curve.mean,
        low=curve.low if banded else (),
        high=curve.high if banded else (),
        hue=place,
    )


def _finals(shown: list[Standing]) -> str:
    return "; ".join(f"{one.name} ends at {number(one.mean('final_loss'))}" for one in shown) + "."


def _bars(one: Comparison, ranked: list[Standing]) -> list[Bar]:
    """The first as it is, the others at its loss plus the paired difference."""
    first = ranked[0]
    base = first.mean("area")
    found = [Bar(first.name, base, hue=0)]
    pairs = {pair.second: pair for pair in one.decision.pairs if pair.first == first.name}
    for place, standing in enumerate(ranked[1:], 1):
        pair = pairs.get(standing.name)
        if pair is None:
            found.append(Bar(standing.name, standing.mean("area"), hue=place))
            continue
        gap = pair.difference
        found.append(Bar(standing.name, base - gap.mean, base - gap.high, base - gap.low, hue=place))
    return found


def _sensitivity(one: Standing, place: int) -> Series:
    rates = one.by_rate()
    means = [sum(areas) / len(areas) if areas else math.nan for areas in rates.values()]
    return Series(one.name, tuple(rates), means, hue=place, markers=True)


def _cost(one: Comparison) -> Section:
    rows: list[list[object]] = []
    for standing in one.standings:
        seconds = [score.seconds for score in standing.scores]
        diverged = sum(score.diverged for score in standing.scores)
        each = sum(seconds) / len(seconds) if seconds else None
        share = sum(seconds) / one.seconds if one.seconds else 0.0
        rows.append([standing.name, len(seconds), each, sum(seconds), f"{100 * share:.0f} %", diverged])
    total = sum(len(standing.scores) for standing in one.standings)
    facts = Facts([("trials", total), ("time of their steps", duration(one.seconds))])
    columns = ["init", "trials", "seconds a trial", "seconds", "share", "diverged"]
    return Section("Cost", [facts, Table(columns, rows)], folded=True)


def _about(one: Comparison) -> Section:
    facts: list[tuple[str, object]] = [
        ("model", one.model),
        ("task", one.task),
        ("optimizer", one.optimizer),
        ("learning rates", ", ".join(f"{lr:g}" for lr in one.lrs)),
        ("steps", one.steps),
        ("batch", one.batch_size),
        ("seeds", f"{one.seeds} + {one.confirm} fresh"),
        ("equal within", f"{100 * one.margin:g} %"),
    ]
    return Section("How it was run", Facts(facts))
