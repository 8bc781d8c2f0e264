"""A copy of a search in a sqlite file of Optuna's own, which its dashboard opens; the search never reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from initium.errors import StoreError


class Mirror:
    """Copies finished trials.

    Args:
        optuna: the module.
        path: the file; None writes nothing.
        name: of the study in it, the same when the search is run again.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(self, optuna: ModuleType, path: Path | None, name: str) -> None:
        self.path, self.study = path, None
        if path is not None:
            with _told(path):
                storage = optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
                self.study = optuna.create_study(storage=storage, study_name=name, load_if_exists=True)

    def write(self, study: Any) -> None:
        """Adds the trials that the file does not have yet.

        Raises:
            StoreError: the file cannot be written.
        """
        if self.path is not None and self.study is not None:
            with _told(self.path):
                known = len(self.study.get_trials(deepcopy=False))
                self.study.add_trials(study.get_trials(deepcopy=False)[known:])


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what Optuna and its database raise, which is of many kinds, into our error."""
    try:
        yield
    except Exception as error:
        first = str(error.__cause__ or error).strip().partition("\n")[0]
        raise StoreError(
            f"{path}, the copy of the search for Optuna's dashboard: {first} ({type(error).__name__})",
            expected="a file of Optuna that can be written, or none",
            remedy="free space if the disk is full, else delete the file, and run the same command again: every "
            "finished trial is in the store, and the copy is made anew from it",
        ) from error
