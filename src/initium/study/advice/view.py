"""A recommendation as a document: the advice, and the three things that it rests on."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version

from initium.report import Block, Document, Facts, Level, Mark, Prose, Section, Table, Verdict, document_of
from initium.study.advice.recommend import Recommendation

LEVEL_OF_VERDICT: dict[str, Level] = {"healthy": "good", "warning": "warning", "unhealthy": "error"}


@document_of.register
def document(one: Recommendation) -> Document:
    """The advice, and the three things that it rests on."""
    level: Level = "good" if one.shipped.verdict == "healthy" else "note"
    verdict = Verdict(level, "advice", one.sentence)
    sections = [
        Section("What the net is like", str(one.traits)),
        _diagnosis(one),
        _theory(one),
        _recorded(one),
        Section("What to do", Prose(_remedy(one))),
    ]
    return Document(f"A start for {one.model}", verdict, sections, f"initium {version('initium')}")


def _diagnosis(one: Recommendation) -> Section:
    verdict = one.plan.verdict or "not measured"
    rows = [
        ["as it is", Mark(one.shipped.verdict, LEVEL_OF_VERDICT[one.shipped.verdict]), one.shipped.badness],
        ["with auto", Mark(verdict, LEVEL_OF_VERDICT.get(verdict, "note")), one.plan.after],
    ]
    findings = [f"{f.code}: {f.title}" for f in one.shipped.findings if f.severity != "info"][:3]
    blocks: list[Block] = [Table(["start", "diagnosis", "badness"], rows)]
    return Section("Diagnosis", [*blocks, Prose("\n\n".join(findings))] if findings else blocks)


def _theory(one: Recommendation) -> Section:
    """The plan's methods, how often each, and the first reason given for it."""
    used = Counter((item.method, item.rule) for item in one.plan)
    reasons = {(item.method, item.rule): item.reason for item in reversed(one.plan.assignments)}
    rows = [[num, method, rule, reasons[method, rule]] for (method, rule), num in used.most_common()]
    table = Table(["parameters", "method", "rule", "for example"], rows)
    notes = [Prose(note) for note in one.plan.notes]
    return Section("Theory: what policy auto plans", [table, *notes] if notes else table)


def _recorded(one: Recommendation) -> Section:
    if not one.like:
        return Section("Recorded runs", f"None of the nets that were {one.source} is like this one.")
    blocks: list[Block] = []
    for far, net in one.like:
        rows = [[line.init, line.loss, line.final_loss, line.metric, line.lr, line.num] for line in net.lines]
        head = [
            ("run", net.run),
            ("net", net.model),
            ("task", net.task),
            ("setting", net.setting),
            ("distance", far),
        ]
        blocks += [Facts(head), Table(["init", "loss", "final loss", "metric", "lr", "seeds"], rows)]
    return Section("Recorded runs of nets that are like it", [*blocks, Prose(f"Runs {one.source}.")])


def _remedy(one: Recommendation) -> str:
    if one.sentence.startswith("Keep"):
        return "Nothing; `initium compare` proves it on your task."
    return (
        "initium.init_(model, inputs) starts the model by policy auto; `initium compare` proves it on your task, "
        "and `initium tune` looks for something better."
    )
