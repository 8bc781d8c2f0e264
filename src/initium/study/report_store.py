"""`report`: the study that a store has, as far as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from initium.errors import InitiumError, StoreError
from initium.study.contest.compare import KIND, SEARCH, replayed
from initium.study.contest.comparison import Comparison
from initium.study.contest.design import Design
from initium.study.run.store import Store
from initium.study.search.search_state import Searching


def report(store: str | Path) -> Comparison | Searching:
    """The study in a store that was started last, as far as it is; its controller may be at work.

    A search that has come to the comparison at its end is shown as that comparison.

    Raises:
        StoreError: no store, or none that holds a study.
    """
    with Store(store, write=False) as opened:
        for kind, data in opened.studies():
            if kind == SEARCH:
                return Searching.read(data, opened)
            if kind == KIND:
                return Comparison.of(replayed(_design(data, store), opened))
    raise StoreError(
        f"{store} holds no study",
        expected="the store of `initium compare` or `initium tune`",
        remedy="run one with --store",
    )


def _design(data: Mapping[str, Any], store: str | Path) -> Design:
    """The design that a store keeps."""
    try:
        return Design.from_data(data)
    except InitiumError as error:
        raise StoreError(
            f"the store {store}: what is kept of its last comparison is no design: {error.seen}",
            expected="a design as initium writes it",
            remedy="give the command of the comparison again with this store: its trials are kept",
        ) from error
