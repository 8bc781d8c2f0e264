from __future__ import annotations

import os
import threading

import pytest

from initium.random import pool


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_job_is_done_once(threads: int) -> None:
    done: list[int] = []
    lock = threading.Lock()

    def job(number: int) -> None:
        with lock:
            done.append(number)

    pool.run([lambda number=number: job(number) for number in range(100)], threads)  # type: ignore[misc]

    assert sorted(done) == list(range(100))


def test_an_error_in_a_job_comes_out() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pool.run([fail] * 4, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_makes_its_own_threads() -> None:
    pool.run([lambda: None] * 4, 2)
    child = os.fork()
    if child == 0:
        pool.run([lambda: None] * 4, 2)
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
