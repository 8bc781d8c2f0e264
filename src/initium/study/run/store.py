"""The results of trials, in one sqlite file: written whole or not at all, by one controller, read by anybody.

The file holds specs and results as JSON text, so nothing in it is code, and nothing in it is run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from initium.engines import Failed
from initium.errors import StoreError
from initium.study.run.schema import check_file, prepare
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

AT_ONCE = 500
"""Keys in one query; sqlite takes a limited number of values."""


_HELD: set[tuple[int, int]] = set()
"""Device and number of the files that stores of this process write to.

A file's locks end when its process closes the file, also after a second opening: what reads such a file by other means
than sqlite would let a reader elsewhere take the log of the newest results for nobody's, and delete it.
"""


class Store:
    """Results of trials by key.

    Args:
        path: the file; made if it is not there. None keeps the results in memory only. While a store is open, its
            process must not read the file by other means, which would end its locks.
        write: False takes what a file holds at this moment, also while a controller writes to it.

    Raises:
        StoreError: no such file, another controller has it, or it is damaged, foreign, too new or not writable.

    Example:
        >>> with Store(None) as store:
        ...     store.results(["a key"])
        {}
    """

    def __init__(self, path: str | Path | None, *, write: bool = True) -> None:
        self.path = None if path is None else Path(path)
        self._lock: sqlite3.Connection | None = None
        self._held: tuple[int, int] | None = None
        if self.path is None:
            self._base = sqlite3.connect(":memory:", isolation_level=None)
            prepare(self._base)
            return
        if _identity(self.path) not in _HELD:
            check_file(self.path, write=write)
        if write:
            self._lock = _locked(self.path)
        try:
            self._base = self._opened(self.path, write=write)
            if write and (held := _identity(self.path)):
                self._held = held
                _HELD.add(held)
        except BaseException:
            self.close()
            raise

    def _opened(self, path: Path, *, write: bool) -> sqlite3.Connection:
        with told(path):
            if not write:
                return _snapshot(path)
            base = sqlite3.connect(path, isolation_level=None, timeout=10)
            prepare(base)
            return base

    def put(self, spec: TrialSpec, result: TrialResult, *, attempts: int = 1) -> None:
        """Writes the result of a trial; it is on disk when this returns."""
        row = (spec.key, _text(spec.to_data()), _text(result.to_data()), attempts, _now())
        with self._change() as base:
            base.execute("DELETE FROM failures WHERE key = ?", (spec.key,))
            base.execute("INSERT OR REPLACE INTO trials VALUES (?, ?, ?, ?, ?)", row)

    def put_failure(self, spec: TrialSpec, failed: Failed) -> None:
        """Notes that a trial failed; a later run tries it again."""
        row = (spec.key, _text(spec.to_data()), failed.cause, failed.message, failed.attempts, _now())
        with self._change() as base:
            base.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)", row)

    def results(self, keys: Iterable[str]) -> dict[str, TrialResult]:
        """Those of the results that are there, by key."""
        found: dict[str, TrialResult] = {}
        for some in _chunks(list(keys)):
            marks = ", ".join("?" * len(some))
            query = f"SELECT key, result FROM trials WHERE key IN ({marks})"  # noqa: S608 - only question marks
            with told(self.path):
                rows = self._base.execute(query, some).fetchall()
            found |= {key: self._result(key, text) for key, text in rows}
        return found

    def _result(self, key: str, text: Any) -> TrialResult:
        try:
            return TrialResult.from_data(json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:  # UsageError is a ValueError
            raise StoreError(
                f"the store {self.path}: what is kept of the trial {key} is no result ({type(error).__name__})",
                expected="results as initium writes them",
                remedy="take it out: Store(path).forget([key]) runs the trial again; or use another file",
            ) from error

    def failures(self) -> dict[str, Failed]:
        """Trials that failed the last time they were run, by key."""
        with told(self.path):
            rows = self._base.execute(
                "SELECT key, cause, message, attempts FROM failures ORDER BY key"
            ).fetchall()
        return {row[0]: Failed(*row) for row in rows}

    def forget(self, keys: Iterable[str]) -> None:
        """Takes results out, so that their trials run again."""
        with self._change() as base:
            for key in keys:
                base.execute("DELETE FROM trials WHERE key = ?", (key,))
                base.execute("DELETE FROM failures WHERE key = ?", (key,))

    def put_study(self, key: str, kind: str, data: Mapping[str, Any]) -> None:
        """Notes that a study uses these results, so that they can be reported without asking for it again.

        Args:
            key: of the study; the one that was put last is the first of `studies`.
            kind: "compare" or "tune".
            data: what it is made from again.
        """
        with self._change() as base:
            base.execute(
                "INSERT OR REPLACE INTO studies VALUES (?, ?, ?, ?)", (key, kind, _text(data), _now())
            )

    def studies(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and data of every study, the one that was started last first."""
        with told(self.path):
            rows = self._base.execute("SELECT kind, data FROM studies ORDER BY started DESC, key").fetchall()
        try:
            return [(kind, json.loads(text)) for kind, text in rows]
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(
                f"the store {self.path}: what is kept of a study cannot be read ({type(error).__name__}: {error})",
                expected="a study as initium writes it",
                remedy="give the command of the study again with this store: its trials are kept",
            ) from error

    def __len__(self) -> int:
        with told(self.path):
            return int(self._base.execute("SELECT count(*) FROM trials").fetchone()[0])

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction: everything in it, or nothing."""
        with told(self.path):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Closes the file and lets other controllers have it."""
        if self._held is not None:
            _HELD.discard(self._held)
            self._held = None
        for one in (getattr(self, "_base", None), self._lock):
            if one is not None:
                one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and number of a file; None if there is none."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


@contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Turns errors of sqlite into ours.

    Raises:
        StoreError: what is wrong with the file, and what to do.
    """
    try:
        yield
    except sqlite3.Error as error:
        name = (getattr(error, "sqlite_errorname", None) or "SQLITE_ERROR").removeprefix("SQLITE_")
        family = next((one for one in ADVICE if name.startswith(one)), "")
        expected, remedy = ADVICE.get(family, ("a file that sqlite can work with", "see what sqlite says"))
        seen = "; ".join(
            line.strip() for line in str(error).splitlines()
        )  # a check of the file tells in lines
        raise StoreError(f"the store {path}: {seen} ({name})", expected=expected, remedy=remedy) from error


ADVICE = {
    "FULL": (
        "room for the result of a trial",
        "free some space and run the same command again: every trial that was finished is kept",
    ),
    "READONLY": (
        "a file and a directory that may be written to",
        "change their permissions, or use another path",
    ),
    "PERM": (
        "a file and a directory that may be written to",
        "change their permissions, or use another path",
    ),
    "CANTOPEN": (
        "a file in a directory that exists and may be written to",
        "check the path and its permissions",
    ),
    "NOTADB": ("a store that initium made", "name another file; this one was left as it is"),
    "CORRUPT": (
        "an undamaged store",
        "save what is left with `sqlite3 FILE .recover | sqlite3 NEW`, or start again with another file",
    ),
    "BUSY": ("a store that no other program writes to", "wait for the other program, or use another file"),
    "IOERR": (
        "a disk that can be read and written",
        "see that the disk is not full, check it, and run the same command again",
    ),
}
"""What was expected and what to do, by the kind of sqlite's error."""


def _locked(path: Path) -> sqlite3.Connection:
    """Holds the lock of the one controller until it is closed, or its process ends in whatever way."""
    with told(path):
        lock = sqlite3.connect(f"{path}-lock", isolation_level=None, timeout=0)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            lock.close()
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
            raise StoreError(
                f"the store {path} is in use by another controller",
                expected="one controller a store",
                remedy="wait for it, end it, or use another file; `initium report` can read the store at any time",
            ) from error
    return lock


def _snapshot(path: Path) -> sqlite3.Connection:
    """A copy in memory of the file as it is now, of the newest version; the file is left as it is."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    for options in ("mode=rw", "mode=ro&immutable=1"):  # the second where the directory may not be written to
        base = sqlite3.connect(
            f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None, timeout=10
        )
        try:
            base.execute("PRAGMA query_only = ON")
            base.backup(copy)
            break
        except sqlite3.OperationalError:
            if "immutable" in options:
                raise
        finally:
            base.close()
    prepare(copy)
    return copy


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), AT_ONCE):
        yield keys[start : start + AT_ONCE]


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
