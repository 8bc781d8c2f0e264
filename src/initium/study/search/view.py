"""A search as a document: what was found and the comparison that decided, or how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from initium.report import Document, Level, Prose, Section, Table, Verdict, document_of, duration, number
from initium.study.search.search import Found
from initium.study.search.search_state import Searching
from initium.study.search.tuning import BASELINES, Tuning

MOST_ROWS = 8
"""Candidates in the table of a finished search."""


@document_of.register
def tuning_document(one: Tuning) -> Document:
    """Outcome, what was found, and the comparison that decided."""
    compared = document_of(one.comparison)
    rows = [
        [label_of(one, item), item.long, item.short, item.candidate["lr"], dials(item.candidate)]
        for item in one.found[:MOST_ROWS]
    ]
    spent = f"{one.num_trials} trials in {duration(one.seconds)}, budget {one.budget} of full length"
    sections = [
        Section("What to use", f"{one.chosen}: {dials_of_init(one)}. Tuning.plan is its plan."),
        Section("What the search found", Table(["compared as", "loss", "short run", "lr", "start"], rows)),
        *compared.sections,
    ]
    level: Level = "good" if one.beat_baselines else "note"
    word = "better start found" if one.beat_baselines else "nothing better found"
    verdict = Verdict(level, word, one.sentence)
    title = f"{one.comparison.model} on {one.comparison.task}: search for a start"
    return Document(title, verdict, sections, f"{spent}. {compared.footer}")


def label_of(one: Tuning, item: Found) -> str | None:
    """The label of a candidate in the comparison; None for one that was not compared."""
    return next((label for label, init in one.inits.items() if init == item.init), None)


def dials_of_init(one: Tuning) -> str:
    """What the chosen start is, in words."""
    if one.chosen in BASELINES:
        return f"policy {one.chosen}"
    same = next((item for item in one.found if item.init == one.init), None)
    return dials(same.candidate) if same else str(one.init.get("policy", ""))


def dials(candidate: Mapping[str, Any]) -> str:
    """A candidate in words."""
    gains = [
        f"{name} {number(value)}"
        for name, value in candidate.items()
        if name.startswith(("gain", "centring"))
    ]
    first = candidate.get("method", candidate["base"])
    bias = ["spread biases"] if candidate.get("bias") == "spread" else []
    return ", ".join([str(first), *gains, *bias])


@document_of.register
def searching_document(one: Searching) -> Document:
    """How far it is, and the best candidates so far."""
    rows = [[item.loss, item.candidate["lr"], dials(item.candidate)] for item in one.found]
    note = "The lowest loss of a search proves nothing: the comparison on fresh seeds comes after it."
    sections = [Section("Best so far", [Table(["loss", "lr", "start"], rows), Prose(note)])] if rows else []
    title = f"{one.model} on {one.task}: search for a start"
    return Document(
        title, Verdict("note", "under way", one.sentence), sections, f"initium {version('initium')}"
    )
