"""The outcome of a search as an immutable record: what was found, whether it beat the baselines, and the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initium.plan import Plan
from initium.report import (
    Document,
    Level,
    Readable,
    Section,
    Table,
    Verdict,
    duration,
    number,
)
from initium.study.contest.comparison import Comparison
from initium.study.contest.view import document as comparison_document
from initium.study.search.search import Found

BASELINES = ("auto", "shipped")
MOST_SHOWN = 8


@dataclass(frozen=True)
class Tuning(Readable):
    """What a search found.

    Args:
        plan: of the start to use: of the winner, else of the best one that nothing was shown to beat, a baseline first.
        chosen: its label in the comparison.
        inits: label to init of everything that was compared, as plain data.
        found: candidates that were tried at full length, best first; a lower loss than another's proves nothing.
        comparison: of the best of them with the baselines, on seeds that the search did not see.
        budget: trials of full length that were allowed.
        num_trials: trials that the store was asked for, short ones among them.
        seconds: wall time.

    Example:
        >>> import torch, initium
        >>> from initium.study.contest import race
        >>> plan = initium.plan(torch.nn.Linear(8, 4), torch.randn(16, 8), policy="shipped")
        >>> proof = Comparison("mlp8-relu", "classification", "accuracy", "adamw", (1e-3,), 150, 128, 5, 8, 0.02, False,
        ...                    (), race.decide({}, {}))
        >>> Tuning(plan, "shipped", {}, (), proof, 160, 0, 0.0).beat_baselines
        False
    """

    plan: Plan
    chosen: str
    inits: Mapping[str, Mapping[str, Any]]
    found: tuple[Found, ...]
    comparison: Comparison
    budget: int
    num_trials: int
    seconds: float

    @property
    def init(self) -> Mapping[str, Any]:
        """The chosen start as plain data, an init for `compare`."""
        return self.inits[self.chosen]

    @property
    def beat_baselines(self) -> bool:
        """Whether a start that the search found won on fresh seeds."""
        return self.comparison.winner is not None and self.comparison.winner not in BASELINES

    @property
    def sentence(self) -> str:
        """The outcome."""
        if self.beat_baselines:
            return f"{self.chosen} beats {' and '.join(BASELINES)}. {self.comparison.sentences[0]}"
        return f"Nothing that was found is shown to beat {self.chosen}. {self.comparison.sentences[0]}"

    def to_json(self) -> str:
        """The record as JSON text: the plan, the comparison and what was tried, as plain data."""
        from initium.study.contest.comparison_json import tuning_to_data

        return json.dumps(tuning_to_data(self), indent=1, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Tuning:
        """The record in a JSON text.

        Raises:
            UsageError: the text is no outcome of a search.
            InitiumError: its plan names an unknown method or parameter.
        """
        from initium.study.contest.comparison_json import tuning_from_data

        return tuning_from_data(text)

    def _document(self) -> Document:
        return document(self)


def document(one: Tuning) -> Document:
    """Outcome, what was found, and the comparison that decided."""
    compared = comparison_document(one.comparison)
    rows = [
        [label_of(one, item), item.long, item.short, item.candidate["lr"], dials(item.candidate)]
        for item in one.found[:MOST_SHOWN]
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
