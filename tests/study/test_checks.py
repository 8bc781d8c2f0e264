"""What is wrong with a model or an init is told with its file and line before the first trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from initium.engines import open_engine
from initium.errors import UsageError
from initium.study.checks import check_trials, place
from initium.study.spec import TrialSpec

NET = """
from torch import nn

def wrong():
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 7))

def nan():
    class Nan(nn.Sequential):
        def forward(self, x):
            return super().forward(x) * float("nan")
    return Nan(nn.Flatten(), nn.Linear(196, 10))

def fits():
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))

def start(model, probe, seed):
    raise KeyError("weight")

import os
if os.environ.get("INITIUM_WORKER"):
    del fits
"""
TASK = {"kind": "classification"}
ZEROS = {"zeros": {"kind": "policy", "policy": "zeros"}}


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [("wrong", 4, "the model's output has shape (4, 7)"), ("nan", 7, "the first loss of Nan")],
)
def test_a_model_that_does_not_fit(net: Path, name: str, line: int, reason: str) -> None:
    with open_engine("serial") as engine, pytest.raises(UsageError) as caught:
        check_trials(TrialSpec(f"{net}:{name}", ZEROS["zeros"], TASK), ZEROS, engine)
    assert caught.value.seen.startswith(f"{net}:{line} ({name}): {reason}")


def test_an_init_that_raises(net: Path) -> None:
    init = {"kind": "function", "function": f"{net}:start"}
    with open_engine("serial") as engine, pytest.raises(UsageError, match="KeyError: 'weight'") as caught:
        check_trials(TrialSpec("mlp4-relu", init, TASK), {"mine": init}, engine)
    assert f"{net}:16 (start)" in caught.value.seen


def test_a_model_that_no_worker_can_make(net: Path) -> None:
    with open_engine("processes", num_workers=1) as engine, pytest.raises(UsageError) as caught:
        check_trials(TrialSpec(f"{net}:fits", ZEROS["zeros"], TASK), ZEROS, engine)
    assert "cannot be made in a worker" in caught.value.seen
    assert "has no 'fits'" in caught.value.seen


def test_the_place_of_what_has_no_source() -> None:
    assert place("mlp4-relu") == "model mlp4-relu"
    assert place("builtins:dict") == "builtins:dict"
