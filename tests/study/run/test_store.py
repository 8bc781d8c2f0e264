"""A store keeps what was finished, whatever happens to its process, its disk or its file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from initium.engines import Failed
from initium.errors import StoreError
from initium.study.run.schema import VERSION
from initium.study.run.store import Store
from initium.study.trial.inits import Health
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

GOLDEN = Path(__file__).parents[2] / "golden" / "study"
SPEC = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"})
RESULT = TrialResult((2.3, 1.1), 1.7, 1.1, 0.5, 1.2, False, 2, 0.1, Health("healthy", 0.25, "auto"))
FAILED = Failed(SPEC.key, "memory", "used 3 GB, more than 2", 3)

CONTROLLER = """
import sys
from dataclasses import replace
from initium.study.run.store import Store
from tests.study.run.test_store import RESULT, SPEC
store = Store(sys.argv[1])
for seed in range(10_000):
    spec = replace(SPEC, seed=seed)
    store.put(spec, RESULT)
    print(spec.key, flush=True)
"""


COUNT = """
import sqlite3, sys
base = sqlite3.connect(sys.argv[1])
print(base.execute("SELECT count(*) FROM trials").fetchone()[0])
base.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "study.db"


@pytest.fixture
def filled(path: Path) -> Path:
    with Store(path) as store:
        for seed in range(60):
            store.put(replace(SPEC, seed=seed), RESULT)
    return path


def seen_elsewhere(path: Path) -> int:
    """How many results another process finds, which closes the file again."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(path)], check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_readers_in_this_process_take_no_locks_from_the_writer(path: Path) -> None:
    with Store(path) as store:
        for seed in range(3):
            store.put(replace(SPEC, seed=seed), RESULT)
            assert len(Store(path, write=False)) == seed + 1
            with pytest.raises(StoreError, match="another controller"):
                Store(path)
            assert seen_elsewhere(path) == seed + 1


def put_many(store: Store) -> None:
    for seed in range(100, 200):
        store.put(replace(SPEC, seed=seed), RESULT)


def test_results_come_back(path: Path) -> None:
    with Store(path) as store:
        store.put(SPEC, RESULT)
        assert store.results([SPEC.key, "other"]) == {SPEC.key: RESULT}
    with Store(path) as store:
        assert store.results([SPEC.key]) == {SPEC.key: RESULT}
        assert len(store) == 1


def test_many_keys_are_found(filled: Path) -> None:
    keys = [replace(SPEC, seed=seed).key for seed in range(1200)]
    with Store(filled) as store:
        assert len(store.results(keys)) == 60


def test_a_failure_is_noted_until_the_trial_is_done(path: Path) -> None:
    with Store(path) as store:
        store.put_failure(SPEC, FAILED)
        assert store.failures() == {SPEC.key: FAILED}
        store.put(SPEC, RESULT)
        assert store.failures() == {}


def test_forgotten_trials_are_gone(filled: Path) -> None:
    with Store(filled) as store:
        store.forget([replace(SPEC, seed=0).key])
        assert len(store) == 59


def test_one_controller_and_any_number_of_readers(filled: Path) -> None:
    with Store(filled) as store:
        with pytest.raises(StoreError, match="in use by another controller"):
            Store(filled)
        with Store(filled, write=False) as reader:
            store.put(replace(SPEC, seed=99), RESULT)
            assert len(reader) == 60
        with Store(filled, write=False) as reader:
            assert len(reader) == 61
    Store(filled).close()


def test_a_killed_controller_leaves_all_that_it_wrote_and_no_lock(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    keys = [process.stdout.readline().strip() for _ in range(25)]
    process.send_signal(signal.SIGKILL)
    keys += process.stdout.read().split()
    process.wait()
    with Store(path) as store:
        found = store.results(keys)
        assert found.keys() == set(keys)
        assert all(one == RESULT for one in found.values())


def test_a_full_disk_loses_only_the_trial_at_hand(filled: Path) -> None:
    with Store(filled) as store:
        pages = store._base.execute("PRAGMA page_count").fetchone()[0]
        store._base.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as caught:
            put_many(store)
        assert "every trial that was finished is kept" in caught.value.remedy
        kept = len(store)
    with Store(filled) as store:
        assert len(store) == kept >= 60
        store.put(replace(SPEC, seed=200), RESULT)


def test_a_damaged_store_is_refused(filled: Path) -> None:
    with filled.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8192))
    for write in (True, False):
        with pytest.raises(StoreError, match="CORRUPT") as caught:
            Store(filled, write=write)
        assert ".recover" in caught.value.remedy


def test_a_truncated_store_is_refused(filled: Path) -> None:
    with filled.open("r+b") as file:
        file.truncate(6000)
    with pytest.raises(StoreError, match=r"CORRUPT|NOTADB"):
        Store(filled)


def test_a_foreign_file_is_left_as_it_is(path: Path) -> None:
    path.write_text("my thesis")
    with pytest.raises(StoreError, match="no database"):
        Store(path)
    assert path.read_text() == "my thesis"
    path.unlink()
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE trials (a)")
    before = path.read_bytes()
    for write in (True, False):
        with pytest.raises(StoreError, match="another program"):
            Store(path, write=write)
    assert path.read_bytes() == before


def test_a_newer_file_is_refused(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as base:
        base.execute("PRAGMA user_version = 1000")
    with pytest.raises(StoreError, match="of version 1000"):
        Store(filled)


@pytest.mark.parametrize("name", ["", "missing/study.db"])
def test_a_path_that_can_hold_no_store_is_refused(tmp_path: Path, name: str) -> None:
    for write in (True, False):
        with pytest.raises(StoreError, match="directory"):
            Store(tmp_path / name, write=write)


def test_nothing_to_read_is_an_error_and_makes_no_file(path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        Store(path, write=False)
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_store_is_read_and_not_written(filled: Path) -> None:
    filled.chmod(0o400)
    filled.parent.chmod(0o500)
    try:
        with Store(filled, write=False) as reader:
            assert len(reader) == 60
        with pytest.raises(StoreError, match=r"READONLY|CANTOPEN"):
            Store(filled)
    finally:
        filled.parent.chmod(0o700)


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_store_of_every_version_opens_and_is_brought_up_to_date(path: Path, version: int) -> None:
    """The golden files were written by the code of their version and are never made again."""
    path.write_bytes((GOLDEN / f"store-v{version}.db").read_bytes())
    keys = [replace(SPEC, seed=seed).key for seed in range(3)]
    with Store(path, write=False) as reader:
        assert list(reader.results(keys).values()) == [RESULT] * 3
    with Store(path) as store:
        assert store.results(keys).keys() == set(keys)
        assert [one.cause for one in store.failures().values()] == ["memory"]
        store.put(replace(SPEC, seed=4), RESULT)
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("PRAGMA user_version").fetchone()[0] == VERSION


def test_a_change_that_fails_half_way_is_undone(filled: Path) -> None:
    keys = [replace(SPEC, seed=seed).key for seed in range(3)]

    def broken() -> Iterator[str]:
        yield from keys
        raise KeyboardInterrupt

    with Store(filled) as store:
        with pytest.raises(KeyboardInterrupt):
            store.forget(broken())
        assert len(store) == 60
        assert set(store.results(keys)) == set(keys)
        store.forget(keys)
        assert len(store) == 57
