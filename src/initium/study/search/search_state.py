"""A search under way: what the store keeps of it between two batches, and what `initium report` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from initium.codec import Stored, from_data
from initium.errors import InitiumError, StoreError
from initium.report import Readable, number
from initium.study.run.store import Store
from initium.study.search.search import Found, Stage, best_of
from initium.study.trial.spec import TrialSpec

SEARCHING_FORMAT = "initium.searching/1"
MOST_KEPT = 8
"""Candidates that are kept of a search under way."""


@dataclass(frozen=True)
class Searching(Readable, Stored):
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
        found = tuple(best_of(stage.found)[:MOST_KEPT])
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
            made = from_data(cls, data)
        except InitiumError as error:
            raise StoreError(
                f"the store {store.path}: what is kept of its last search is none ({error.seen})",
                expected=f"data of format {SEARCHING_FORMAT}",
                remedy="give the command of the search again with this store: its trials are kept",
            ) from error
        ended = len(store.results(made.due)) + len(store.failures().keys() & set(made.due))
        return replace(made, ended=min(made.num, made.ended + ended))

    @property
    def sentence(self) -> str:
        """How far it is."""
        lowest = f", lowest loss of those before {number(self.found[0].loss)}" if self.found else ""
        return f"The search is under way: {self.ended} of {self.num} {self.stage} ended{lowest}."
