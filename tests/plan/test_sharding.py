"""The same bits on any number of ranks: every scenario of sharded.py, run in one other process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.plan.sharded import SCENARIOS

WORLDS = (1, 2, 4)
ROOT = Path(__file__).parents[2]
CASES = [f"{name}@{world}" for name, (_, worlds) in SCENARIOS.items() for world in worlds]


@pytest.mark.timeout(300)
def test_the_bits_do_not_depend_on_the_sharding() -> None:
    """One test for all scenarios, since two workers of xdist would each start the ranks for themselves."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.plan.sharded", *map(str, WORLDS)],
        capture_output=True, text=True, timeout=280, cwd=ROOT, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    problems: dict[str, str] = json.loads(done.stdout)
    assert sorted(problems) == sorted(CASES)
    failed = {case: problem for case, problem in problems.items() if problem}
    assert not failed, "\n".join(f"{case}:\n{problem}" for case, problem in failed.items())
