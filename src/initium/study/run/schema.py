"""The tables of a store, how older ones are brought up to date, and which files are none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from initium.errors import StoreError

APPLICATION = 0x696E6974
"""Marks a sqlite file as ours: "init" in ASCII."""

MIGRATIONS = (
    """
    CREATE TABLE trials (
        key TEXT PRIMARY KEY, spec TEXT NOT NULL, result TEXT NOT NULL,
        attempts INTEGER NOT NULL, finished TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE failures (
        key TEXT PRIMARY KEY, spec TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL,
        attempts INTEGER NOT NULL, failed TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE studies (
        key TEXT PRIMARY KEY, kind TEXT NOT NULL, data TEXT NOT NULL, started TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
)
"""Statement i brings a file of version i to version i + 1; those that were released never change."""
VERSION = len(MIGRATIONS)


MAGIC = b"SQLite format 3\0"


def prepare(base: sqlite3.Connection) -> None:
    """Makes the tables, or brings those of an older version up to date, all or nothing.

    Raises:
        StoreError: the file is of another program, of a newer version, or damaged.
    """
    version = check_tables(base)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    if version == VERSION:
        return
    steps = "".join(MIGRATIONS[version:])
    base.executescript(
        f"BEGIN IMMEDIATE; {steps} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def check_tables(base: sqlite3.Connection) -> int:
    """The version of the tables, 0 where there are none yet.

    Raises:
        StoreError: the file is of another program, of a newer version, or damaged.
    """
    application, version, tables = (
        int(base.execute(query).fetchone()[0])
        for query in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if tables == 0 and application == 0:
        return 0
    if application != APPLICATION:
        raise foreign("the file is a database of another program")
    if version > VERSION:
        raise StoreError(
            f"the store is of version {version}",
            expected=f"version {VERSION} or older",
            remedy="update initium: a newer one wrote this file",
        )
    found = str(base.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        damaged = sqlite3.DatabaseError(found)
        damaged.sqlite_errorname = "SQLITE_CORRUPT"
        raise damaged
    return version


def check_file(path: Path, *, write: bool) -> None:
    """Refuses what is no file of sqlite before anything is done to it; a missing or empty one is fine for a writer.

    Raises:
        StoreError: no file to read, a directory, a file that cannot be read, or one of another kind.
    """
    if not path.is_file():
        if write and not path.exists() and path.parent.is_dir():
            return
        raise StoreError(
            f"{path}: {'a directory' if path.is_dir() else 'no such file or directory'}",
            expected="a file, in a directory that exists" if write else "the file of a study",
            remedy="check the path",
        )
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror})",
            expected="a file that may be read",
            remedy="change its permissions",
        ) from error
    if start != MAGIC and not (write and not start):
        raise foreign(f"{path} is no database")


def foreign(seen: str) -> StoreError:
    """The error for a file that is not ours."""
    return StoreError(
        seen, expected="a store that initium made", remedy="name another file; this one was left as it is"
    )
