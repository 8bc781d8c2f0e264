"""Standard output holds the result and nothing else, whatever a model prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NET = """
from torch import nn
print("loading")

class Loud(nn.Sequential):
    def forward(self, x):
        print("running")
        return super().forward(x)

def make():
    print("making", flush=True)
    return Loud(nn.Flatten(), nn.Linear(196, 8), nn.ReLU(), nn.Linear(8, 10))
"""
COMPARE = "--init auto,zeros --lr 1e-3 --steps 3 --seeds 2 --confirm 2 --workers 1 --engine"


@pytest.fixture
def loud(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def told(arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "initium", *arguments.split()], cwd=directory, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "making" in done.stderr
    return done


@pytest.mark.parametrize(
    "arguments",
    [
        "diagnose net.py:make --input 196", "plan net.py:make --input 196", "recommend net.py:make --input 196",
        f"compare net.py:make {COMPARE} serial", f"compare net.py:make {COMPARE} processes",
    ],
)  # fmt: skip
def test_json_is_alone_on_standard_output(loud: Path, arguments: str) -> None:
    assert isinstance(json.loads(told(f"{arguments} --json", loud).stdout), dict)
