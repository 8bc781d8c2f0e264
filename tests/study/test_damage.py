"""Stores damaged at random places, and a disk that fills up while a study runs: an error of ours, or what was there."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.limits import no_room
from tests.study.made import conducted, design, result, spread

from initium.engines import open_engine
from initium.errors import InitiumError, StoreError
from initium.study.contest.compare import KIND
from initium.study.contest.compare import conducted as run_all
from initium.study.contest.comparison import Comparison
from initium.study.contest.conduct import Conduct
from initium.study.contest.design import Design
from initium.study.report_store import report
from initium.study.run.runner import Runner
from initium.study.run.store import Store

MEANS = {"auto": 0.5, "shipped": 1.5, "lsuv": 0.6}
DESIGN = replace(design(*MEANS), inits={name: {"kind": "policy", "policy": name} for name in MEANS})
RAN: list[int] = []


def write(path: Path) -> Conduct:
    """The store of a finished comparison."""
    conduct = conducted(DESIGN, spread(MEANS))
    with Store(path) as store:
        store.put_study(DESIGN.key, KIND, DESIGN.to_data())
        for cell, one in conduct.results.items():
            store.put(conduct.spec(cell), one)
    return conduct


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, set[str]]:
    """A store as bytes, and the keys of its trials."""
    path = tmp_path_factory.mktemp("good") / "study.db"
    conduct = write(path)
    assert report(path).finished
    return path.read_bytes(), {conduct.spec(cell).key for cell in conduct.results}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Cut off, or with some bytes changed, at a random place."""
    place, size = rng.randrange(len(data)), rng.choice((1, 16, 512, 4096))
    match rng.choice(("cut", "bits", "zeros", "noise", "head", "more")):
        case "cut":
            return data[:place]
        case "bits":
            return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        case "zeros":
            return data[:place] + bytes(size) + data[place + size :]
        case "noise":
            return data[:place] + rng.randbytes(size) + data[place + size :]
        case "head":
            return data[: place % 100] + rng.randbytes(1) + data[place % 100 + 1 :]
        case _:
            return data + rng.randbytes(size)


def read(path: Path, keys: set[str]) -> None:
    with Store(path, write=False) as store:
        found = store.results(keys)
        store.failures()
        store.studies()
    assert found.keys() <= keys


def change(path: Path, keys: set[str]) -> None:
    """Runs what is missing, as a controller does, and takes something out."""
    with Store(path) as store:
        store.results(keys)
        conduct = conducted(DESIGN, spread(MEANS))
        for cell, one in conduct.results.items():
            store.put(conduct.spec(cell), one)
        store.forget(sorted(keys)[:3])


@pytest.mark.parametrize("seed", range(60))
def test_a_store_that_is_damaged_at_a_random_place(
    tmp_path: Path, good: tuple[bytes, set[str]], seed: int
) -> None:
    data, keys = good
    worse = damaged(data, random.Random(seed))
    doors: tuple[Any, ...] = (
        lambda path: report(path),
        lambda path: read(path, keys),
        lambda path: change(path, keys),
    )
    for number, door in enumerate(doors):
        path = tmp_path / f"{number}.db"
        path.write_bytes(worse)
        with suppress(StoreError):
            door(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"base": 1}', b"\xff\xfe"])
def test_a_study_that_cannot_be_read_is_told_and_its_trials_are_kept(
    tmp_path: Path, text: str | bytes
) -> None:
    path = tmp_path / "study.db"
    conduct = write(path)
    with Store(path) as store:
        store._base.execute("UPDATE studies SET data = ?", (text,))
    with pytest.raises(StoreError, match="what is kept of") as caught:
        report(path)
    assert "its trials are kept" in caught.value.remedy
    with Store(path) as store:
        store.put_study(DESIGN.key, KIND, DESIGN.to_data())
        assert len(store) == len(conduct.results)
    assert report(path).finished


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": 10**30}, {"confirm": 10**9}, {"seeds": None}, {"lrs": 3}, {"lrs": ["x"]}, {"lrs": [10**400]},
        {"inits": []}, {"inits": {"a": 1, "b": 2}}, {"inits": {"a": {}, "b": {"kind": "x"}}}, {"base": []},
    ],
)  # fmt: skip
def test_what_is_no_design_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InitiumError):
        Design.from_data(DESIGN.to_data() | changes)


def work(data: dict[str, Any]) -> dict[str, Any]:
    """A trial without training."""
    RAN.append(data["seed"])
    return result(1.0 + 0.01 * data["seed"] + 10 * data["lr"]).to_data()


def ran(path: Path | None) -> Comparison:
    with open_engine("serial") as engine, Store(path) as store:
        return Comparison.of(run_all(DESIGN, Runner(engine, store, work=work)))


@pytest.mark.parametrize("most", [4096, 20_000, 32_768, 60_000, 90_000])
def test_a_study_whose_disk_is_full_goes_on_later_and_runs_nothing_twice(tmp_path: Path, most: int) -> None:
    undisturbed = ran(None)
    num = len(RAN)
    RAN.clear()
    with no_room(most), pytest.raises(StoreError, match=r"full|disk I/O") as caught:
        ran(tmp_path / "study.db")
    assert "\n" not in caught.value.seen
    assert "run the same command again" in caught.value.remedy
    assert ran(tmp_path / "study.db").to_json() == undisturbed.to_json()
    assert num <= len(RAN) <= num + 1
    RAN.clear()
