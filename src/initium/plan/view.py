"""Plans and receipts as text and pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from initium import report as kit
from initium.plan.plan import Plan
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.records.receipt import Receipt
from initium.predict.view import predicted_section


@kit.document_of.register
def plan_document(plan: Plan) -> kit.Document:
    """What a plan says, ready for text or a page."""
    changing = [one for one in plan.assignments if one.method != KEEP]
    keeping = len(plan.assignments) - len(changing)
    sentence = f"{len(changing)} parameters get new values, {keeping} stay as they are"
    facts = [("policy", plan.policy), ("seed", plan.seed)]
    if plan.chosen:
        facts.append(("candidate", plan.chosen))
    if plan.before is not None and plan.after is not None:
        facts.append(
            ("badness", f"{kit.number(plan.before)} as found, {kit.number(plan.after)} with this plan")
        )
    blocks: list[kit.Block] = [kit.Facts(facts), *(kit.Prose(note) for note in plan.notes)]
    groups = _grouped(plan.assignments)
    return kit.Document(
        title=f"Plan for {plan.model}",
        verdict=kit.Verdict(
            "good" if plan.verdict != "unhealthy" else "warning", plan.verdict or "planned", sentence
        ),
        sections=[
            kit.Section("Summary", blocks),
            kit.Section("By rule", [_by_rule(groups)]),
            kit.Section("Parameters", [_parameters(plan.assignments, groups)]),
            *predicted_section(plan.predicted),
        ],
    )


@kit.document_of.register
def receipt_document(receipt: Receipt) -> kit.Document:
    """What a receipt says, ready for text or a page."""
    written = receipt.written
    facts: list[tuple[str, object]] = [
        ("seed", receipt.seed),
        ("written", len(written)),
        ("kept", len(receipt.entries) - len(written)),
    ]
    if receipt.before is not None and receipt.after is not None:
        facts.append(("badness", f"{kit.number(receipt.before)} before, {kit.number(receipt.after)} after"))
    rows = [(e.name, e.method, e.rule, kit.number(e.mean), kit.number(e.std)) for e in receipt.entries]
    blocks: list[kit.Block] = [kit.Facts(facts), *(kit.Prose(note) for note in receipt.notes)]
    return kit.Document(
        title=f"Receipt for {receipt.model}",
        verdict=kit.Verdict(
            "good" if receipt.verdict != "unhealthy" else "warning",
            receipt.verdict or "applied",
            f"{len(written)} parameters written",
        ),
        sections=[
            kit.Section("Summary", blocks),
            kit.Section("Parameters", [kit.Table(("parameter", "method", "rule", "mean", "std"), rows)]),
        ],
    )


Why = tuple[str, str, str]


def _why(one: Assignment) -> Why:
    """Rule, method and reason, but for the numbers in it: weights 1 to 20 of a chain have one reason."""
    return one.rule, one.method, re.sub(r"\d+", "#", one.reason)


def _by_rule(groups: Mapping[Why, Sequence[Assignment]]) -> kit.Table:
    rows = [
        (number, rule, method, len(members), members[0].reason, members[0].source)
        for number, ((rule, method, _), members) in enumerate(groups.items(), start=1)
    ]
    return kit.Table(("no.", "rule", "method", "parameters", "why", "source"), rows)


def _grouped(assignments: Sequence[Assignment]) -> dict[Why, list[Assignment]]:
    groups: dict[Why, list[Assignment]] = {}
    for one in assignments:
        groups.setdefault(_why(one), []).append(one)
    return groups


def _parameters(assignments: Sequence[Assignment], groups: Mapping[Why, Sequence[Assignment]]) -> kit.Table:
    number = {why: place for place, why in enumerate(groups, start=1)}
    rows = [
        (one.name, "x".join(map(str, one.layer.shape)) or "scalar", one.role, _method(one), _scale(one),
         f"{number[_why(one)]} {one.rule}")
        for one in assignments
    ]  # fmt: skip
    return kit.Table(("parameter", "shape", "role", "method", "scale", "rule"), rows)


def _scale(one: Assignment) -> str:
    if one.keeps:
        return ""
    if not one.units:
        return kit.number(one.scale)
    low, high = (kit.number(one.scale * end) for end in (min(one.units), max(one.units)))
    return f"{low} to {high} by unit"


def _value(value: object) -> str:
    return f"{len(value)} numbers" if isinstance(value, tuple) and len(value) > 4 else str(value)


def _method(one: Assignment) -> str:
    inner = ", ".join(f"{key}={_value(value)}" for key, value in one.params.items())
    return f"{one.method}({inner})" if inner else one.method
