"""The file of a store, byte by byte where sqlite's format says what stands there."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from initium.errors import StoreError
from initium.study.run.schema import MIGRATIONS, VERSION, check_file, check_tables, prepare


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


def prepared(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        prepare(base)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as base:
        return {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_new_file_is_marked_in_its_header(path: Path) -> None:
    """sqlite's format: the user's version at byte 60, the application at byte 68, 4 bytes each, the high one first."""
    prepared(path)
    header = path.read_bytes()[:100]
    assert header[:16] == b"SQLite format 3\0"
    assert struct.unpack(">I", header[60:64]) == (VERSION,)
    assert header[68:72] == b"init"
    assert header[18:20] == b"\2\2"  # write-ahead log, so that readers do not wait
    assert tables(path) == {"trials", "failures", "studies"}


def test_it_syncs_in_full(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        prepare(base)
        assert base.execute("PRAGMA synchronous").fetchone() == (2,)
        assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("version", range(1, VERSION))
def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.executescript("".join(MIGRATIONS[:version]))
        base.execute("INSERT INTO trials VALUES ('k', 's', 'r', 1, 'now')")
        base.execute(f"PRAGMA user_version = {version}")
        base.execute(f"PRAGMA application_id = {0x696E6974}")
        base.commit()
    for _ in range(2):
        prepared(path)
        with closing(sqlite3.connect(path)) as base:
            assert check_tables(base) == VERSION
            assert base.execute("SELECT * FROM trials").fetchall() == [("k", "s", "r", 1, "now")]
        assert tables(path) == {"trials", "failures", "studies"}


def test_a_newer_file_a_foreign_and_a_damaged_one_are_left_alone(path: Path, tmp_path: Path) -> None:
    prepared(path)
    with closing(sqlite3.connect(path)) as base:
        base.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StoreError, match=f"version {VERSION + 1}"):
        prepared(path)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as base:
        base.execute("CREATE TABLE mine (x)")
    before = other.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        prepared(other)
    assert other.read_bytes() == before


def test_a_torn_page_is_seen(path: Path) -> None:
    prepared(path)
    with closing(sqlite3.connect(path)) as base:
        base.executemany(
            "INSERT INTO trials VALUES (?, 's', 'r', 1, 'now')", [(f"{i:09d}" * 50,) for i in range(200)]
        )
        base.commit()
        base.execute("PRAGMA journal_mode = DELETE")
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 2000] = bytes(2000)
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError) as told, closing(sqlite3.connect(path)) as base:
        check_tables(base)
    assert told.value.sqlite_errorname == "SQLITE_CORRUPT"


def test_an_empty_base_has_version_nought(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        assert check_tables(base) == 0


def test_what_is_no_file_of_sqlite_is_refused_unread(path: Path, tmp_path: Path) -> None:
    check_file(path, write=True)  # a missing one is made
    with pytest.raises(StoreError, match="no such file"):
        check_file(path, write=False)
    with pytest.raises(StoreError, match="no such file"):
        check_file(tmp_path / "none" / "a.db", write=True)
    with pytest.raises(StoreError, match="a directory"):
        check_file(tmp_path, write=True)
    path.write_bytes(b"")
    check_file(path, write=True)
    with pytest.raises(StoreError, match="no database"):
        check_file(path, write=False)
    path.write_bytes(b"SQLite format 4\0 and more")
    with pytest.raises(StoreError, match="no database"):
        check_file(path, write=True)
    prepared(other := tmp_path / "b.db")
    check_file(other, write=False)
