"""The file for Optuna's dashboard: Optuna reads back the trials of the search, and a bad file is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from tests.limits import no_room
from tests.study.search.test_search import BASE, Fake, planted, space

from initium.errors import StoreError
from initium.study.search.optuna_mirror import Mirror
from initium.study.search.search import search
from initium.study.trial.spec import TrialSpec


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    return tmp_path / "study.db.optuna.db"


def read(path: Path) -> tuple[str, list[optuna.trial.FrozenTrial]]:
    """Name and trials, as any program that uses Optuna reads them."""
    storage = f"sqlite:///{path}"
    (name,) = optuna.get_all_study_names(storage)
    return name, optuna.load_study(study_name=name, storage=storage).get_trials()


def test_optuna_sees_every_trial_once_also_after_a_second_run(shown: Path) -> None:
    for _ in range(2):
        runner = Fake(planted)
        search(space(), BASE, runner, trials=16, shown=shown)
    name, trials = read(shown)
    short = [spec for spec in runner.asked if spec.steps < BASE.steps]
    assert name.startswith("mlp8-sigmoid classification ")
    assert [trial.value for trial in trials] == [planted(spec) for spec in short]
    assert [trial.params["lr"] for trial in trials] == [spec.lr for spec in short]
    assert [trial.user_attrs["key in the store"] for trial in trials] == [spec.key for spec in short]
    assert {trial.params["base"] for trial in trials} >= {"auto", "gains by role"}
    assert {trial.state.name for trial in trials} == {"COMPLETE"}


def test_a_search_that_was_ended_goes_on_in_the_same_file(shown: Path) -> None:
    search(space(), BASE, Fake(planted), trials=16, shown=shown)
    whole = [trial.value for trial in read(shown)[1]]
    shown.unlink()
    left = iter(range(len(whole) // 2))

    def ended(spec: TrialSpec) -> float:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return planted(spec)

    with pytest.raises(KeyboardInterrupt):
        search(space(), BASE, Fake(ended), trials=16, shown=shown)
    assert 0 < len(read(shown)[1]) < len(whole)
    search(space(), BASE, Fake(planted), trials=16, shown=shown)
    assert [trial.value for trial in read(shown)[1]] == whole


def broken(path: Path, how: str) -> None:
    """Makes what is no file of Optuna."""
    if how == "a directory":
        path.mkdir()
    elif how == "truncated":
        Mirror(optuna, path, "one")
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "another program's":
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("CREATE TABLE studies (a)")
    else:
        path.write_text("my thesis")


@pytest.mark.parametrize("how", ["a directory", "truncated", "another program's", "text"])
def test_what_is_no_file_of_optuna_is_told_before_the_first_trial(shown: Path, how: str) -> None:
    broken(shown, how)
    runner = Fake(planted)
    with pytest.raises(StoreError, match="copy of the search for Optuna's dashboard") as caught:
        search(space(), BASE, runner, trials=16, shown=shown)
    assert "delete the file" in caught.value.remedy
    assert str(shown) in caught.value.seen
    assert not runner.asked


def test_a_full_disk_is_told_and_the_file_is_completed_later(shown: Path) -> None:
    search(space(), BASE, Fake(planted), trials=16, shown=shown)
    whole, size = [trial.value for trial in read(shown)[1]], shown.stat().st_size
    shown.unlink()
    Mirror(optuna, shown, "empty")
    assert shown.stat().st_size < size
    with no_room(shown.stat().st_size), pytest.raises(StoreError, match=r"full|disk I/O") as caught:
        search(space(), BASE, Fake(planted), trials=16, shown=shown)
    assert "free space" in caught.value.remedy
    shown.unlink()
    search(space(), BASE, Fake(planted), trials=16, shown=shown)
    assert [trial.value for trial in read(shown)[1]] == whole
