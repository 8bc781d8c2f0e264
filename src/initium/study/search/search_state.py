"""A search under way: what the store keeps of it between two batches, and what `initium report` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any, Self

from initium import plain_data
from initium.errors import InitiumError, StoreError
from initium.report import Document, Prose, Readable, Section, Table, Verdict, number
from initium.study.contest.comparison_json import found_from_data
from initium.study.run.store import Store
from initium.study.search.search import Found, Stage, best_of
from initium.study.search.tuning import MOST_SHOWN, dials
from initium.study.trial.spec import TrialSpec

FORMAT = "initium.searching/1"


@dataclass(frozen=True)
class Searching(Readable):
    """A search that has not come to the comparison at its end.

    Args:
        model: name of the model, with the arguments it is made with.
        task: kind of the task.
        stage: which of its two stages it is in.
        num: trials of this stage.
        ended: those of them that ended.
        due: keys of those that were running when this was written down.
        found: the best candidates so far, best first.
    """

    model: str
    task: str
    stage: str
    num: int
    ended: int
    due: tuple[str, ...]
    found: tuple[Found, ...]

    @classmethod
    def of(cls, base: TrialSpec, stage: Stage) -> Self:
        """The record of a stage, before the trials that are due in it."""
        found = tuple(best_of(stage.found)[:MOST_SHOWN])
        keys = tuple(spec.key for spec in stage.due)
        kind = str(base.task.get("kind", ""))
        return cls(base.model_text, kind, stage.name, stage.num, stage.num - stage.left, keys, found)

    @classmethod
    def read(cls, data: Mapping[str, Any], store: Store) -> Self:
        """The record that a store has, brought up to date with the trials that ended since.

        Raises:
            StoreError: the data are none.
        """
        try:
            found = _searching(**data)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            seen = error.seen if isinstance(error, InitiumError) else f"{type(error).__name__}: {error}"
            raise StoreError(
                f"the store {store.path}: what is kept of its last search is none ({seen})",
                expected=f"data of format {FORMAT}",
                remedy="give the command of the search again with this store: its trials are kept",
            ) from error
        made = cls(**found)
        ended = len(store.results(made.due)) + len(store.failures().keys() & set(made.due))
        return replace(made, ended=min(made.num, made.ended + ended))

    def to_data(self) -> dict[str, Any]:
        """All fields as JSON values."""
        return {"format": FORMAT, **asdict(self), "due": list(self.due)}

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps({**self.to_data(), "found": [asdict(one) for one in self.found]}, indent=1)

    @property
    def sentence(self) -> str:
        """How far it is."""
        lowest = f", lowest loss of those before {number(_loss(self.found[0]))}" if self.found else ""
        return f"The search is under way: {self.ended} of {self.num} {self.stage} ended{lowest}."

    def _document(self) -> Document:
        return document(self)


def document(one: Searching) -> Document:
    """How far it is, and the best candidates so far."""
    rows = [[_loss(item), item.candidate["lr"], dials(item.candidate)] for item in one.found]
    note = "The lowest loss of a search proves nothing: the comparison on fresh seeds comes after it."
    sections = [Section("Best so far", [Table(["loss", "lr", "start"], rows), Prose(note)])] if rows else []
    title = f"{one.model} on {one.task}: search for a start"
    return Document(
        title, Verdict("note", "under way", one.sentence), sections, f"initium {version('initium')}"
    )


def _loss(one: Found) -> float:
    return one.short if one.long is None else one.long


def _searching(*, format: Any, due: Any, found: Any, **data: Any) -> dict[str, Any]:  # noqa: A002 - the name of a field
    if format != FORMAT:
        raise ValueError(f"no {FORMAT!r} mark")
    texts = {name: plain_data.text(data.pop(name)) for name in ("model", "task", "stage")}
    numbers = {name: plain_data.whole(data.pop(name), 0) for name in ("num", "ended")}
    if data:
        raise ValueError(f"unknown fields {sorted(data)[:3]}")
    candidates = tuple(found_from_data(one) for one in found)
    return {**texts, **numbers, "due": tuple(plain_data.texts(due)), "found": candidates}
