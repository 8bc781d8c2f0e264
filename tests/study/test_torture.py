"""`kill -9` of controllers and workers at random moments: the study ends with the same table, every trial run once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.engines.killing import Study, check_same_rows, children, kill_at_random

KILLS = 20
ENGINE = {"name": "processes", "num_workers": 2}


def workers_of(controller: int) -> list[int]:
    return [worker for server in children(controller) for worker in children(server)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_study_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path: Path) -> None:
    calm, killed = Study(tmp_path / "calm.db", ENGINE), Study(tmp_path / "killed.db", ENGINE)
    undisturbed = calm.told(calm.start())
    controller, seen, victims = kill_at_random(killed, workers_of, kills=KILLS, seed=5, longest_start=3.0)
    assert killed.told(controller) == undisturbed
    check_same_rows(killed.rows(), calm.rows(), seen)
    assert {"controller", "worker"} == set(victims)
    print(f"{len(seen)} trials before the last start; killed: {', '.join(victims)}")
