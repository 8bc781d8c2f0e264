"""A health report as a document: the verdict first, what to do last."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initium.diagnose import limits
from initium.diagnose.criteria import LOWER_BOUNDS, Criterion
from initium.diagnose.finding import Finding, Severity
from initium.diagnose.health import HealthReport
from initium.predict.prediction import Predicted, predict
from initium.predict.view import predicted_section
from initium.record import Record
from initium.report import (
    Block,
    Callout,
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
    Zone,
    document_of,
    line_chart,
    number,
)

SEVERITY_LEVELS: dict[Severity, Level] = {"error": "error", "warning": "warning", "info": "note"}
MAX_DEPTH_ROWS = 60


@document_of.register
def document(report: HealthReport) -> Document:
    """Verdict, findings, measures, and what to do."""
    sections = [
        *_findings(report),
        *_charts(report),
        _criteria(report),
        *_depth(report),
        *predicted_section(_measured_sites(report.record)),
        _about(report),
        _advice(report),
    ]
    return Document(f"Health of {report.record.model} at its start", _verdict(report), sections, _footer())


def _verdict(report: HealthReport) -> Verdict:
    level: Level = {"healthy": "good", "warning": "warning", "unhealthy": "error"}[report.verdict]  # type: ignore[assignment]
    first = next((f for f in report.findings if f.severity != "info"), None)
    if first is None:
        return Verdict(level, report.verdict, "Signal and gradient reach every part of the model.")
    sentence = first.title[0].upper() + first.title[1:] if not first.where else first.title
    return Verdict(level, report.verdict, f"{sentence}.")


def _findings(report: HealthReport) -> Iterator[Section]:
    if report.findings:
        yield Section("Findings", [_callout(finding) for finding in report.findings])


def _callout(finding: Finding) -> Callout:
    lines = [
        ("where", finding.place),
        ("expected", finding.expected),
        ("why", finding.why),
        ("what to do", finding.remedy),
    ]
    title = f"{finding.severity}: {finding.seen}"
    return Callout(
        SEVERITY_LEVELS[finding.severity], title, [line for line in lines if line[1]], finding.code
    )


def _charts(report: HealthReport) -> Iterator[Section]:
    points = report.measures
    if len(points) < 2:
        return
    labels = [", ".join(point.names[:2]) or point.module for point in points]
    depth = [point.depth for point in points]
    signal = line_chart(
        [
            Series(
                "signal", depth, [point.second for point in points], labels=labels, markers=len(points) < 60
            )
        ],
        title="The signal through depth",
        x_label="weighted layers from the input",
        y_label="second moment of what a block receives",
        y_log=True,
        zones=(Zone(limits.LEAST_SECOND, limits.GREATEST_SECOND, "sound"),),
    )
    figures: list[Block] = [Figure(signal, _range("signal", [point.second for point in points]))]
    strengths = [math.nan if point.strength is None else point.strength for point in points]
    if any(math.isfinite(value) for value in strengths):
        gradient = line_chart(
            [Series("S", depth, strengths, labels=labels, markers=len(points) < 60)],
            title="The gradient through depth",
            x_label="weighted layers from the input",
            y_label="S = |x dL/dx|",
            y_log=True,
        )
        figures.append(Figure(gradient, _range("gradient S", strengths)))
    yield Section("Through depth", figures)


def _range(name: str, values: list[float]) -> str:
    seen = [value for value in values if math.isfinite(value)]
    if not seen:
        return name
    ends = f"first {number(seen[0])}, last {number(seen[-1])}"
    return f"{name}: {ends}, least {number(min(seen))}, greatest {number(max(seen))}"


def _criteria(report: HealthReport) -> Section:
    rows = [
        [criterion.name, _marked(criterion), _limit(criterion), criterion.meaning]
        for criterion in report.criteria
    ]
    return Section("Criteria", Table(["criterion", "measured", "limit", "meaning"], rows))


def _marked(criterion: Criterion) -> object:
    if criterion.value is None:
        return "not measured"
    level = criterion.level
    return Mark(number(criterion.value), "note" if level == "unknown" else level)


def _limit(criterion: Criterion) -> str:
    return f"{'>=' if criterion.name in LOWER_BOUNDS else '<='} {number(criterion.limit)}"


def _depth(report: HealthReport) -> Iterator[Section]:
    points = report.measures
    if not points:
        return
    step = max(1, math.ceil(len(points) / MAX_DEPTH_ROWS))
    rows = [
        [
            p.depth,
            ", ".join(p.names[:2]) or p.module,
            p.second,
            p.gradient,
            p.strength,
            None if math.isnan(p.between) else p.between,
        ]
        for p in points[::step]
    ]
    columns = ["depth", "after", "E[x^2]", "E[g^2]", "S", "between samples"]
    yield Section("What each block receives", Table(columns, rows, limit=24), folded=True)


def _measured_sites(seen: Record) -> list[Predicted]:
    return [one for one in predict(seen) if one.measured is not None]


def _about(report: HealthReport) -> Section:
    seen = report.record
    facts: list[tuple[str, object]] = [
        ("model", seen.model),
        ("parameters", sum(math.prod(info.shape) for info in seen.parameters)),
        ("samples", seen.batch),
        ("mode", "training" if seen.training else "evaluation"),
        ("loss", seen.loss),
        *((f"loss {name}", value) for name, value in seen.losses.items()),
        ("badness", report.badness),
        *(("note", note) for note in seen.notes),
    ]
    return Section("What was run", Facts([fact for fact in facts if fact[1] is not None]))


def _advice(report: HealthReport) -> Section:
    serious = [finding for finding in report.findings if finding.severity != "info"]
    if not serious:
        return Section("What to do", Prose("Nothing. Train it."))
    remedies = list(dict.fromkeys(f"{finding.code}: {finding.remedy}." for finding in serious))
    last = (
        "initium.repair_(model, inputs) changes only what is unhealthy; "
        "initium.init_(model, inputs) starts the whole model anew."
    )
    return Section("What to do", Prose("\n".join([*remedies, last])))


def _footer() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"initium {version('initium')}"
    except PackageNotFoundError:
        return "initium"
