"""What a user may ask for, and what is refused before any trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import initium
from initium.errors import InitiumError, UnknownNameError, UsageError, UsageTypeError
from initium.study.contest.request import (
    INITS,
    design_of,
    function_reference,
    inits_data,
    model_name,
    opened_task,
)
from initium.study.tasks import open_task

TASK = open_task("classification")
SOURCE = """
from torch import nn

def make(width=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))

number = 3
"""


def make_net() -> nn.Module:
    """A model that a worker can import."""
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))


def asked(make: Any = "mlp4-relu", task: Any = "classification", **changes: Any) -> Any:
    return design_of(make, task, **{"seeds": 3, "confirm": 2, **changes})


def test_the_usual_request() -> None:
    made = asked("")
    assert made.base.model == "cnn20-relu"
    assert tuple(made.inits) == INITS
    assert len(INITS) == 8
    assert made.lrs == (3e-4, 1e-3, 3e-3)


def test_functions_and_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    assert model_name("net.py:make", TASK) == f"{tmp_path / 'net.py'}:make"
    assert model_name(make_net, TASK).endswith("test_request:make_net")
    with pytest.raises(UsageError, match="cannot be called"):
        function_reference("net.py:number")


def test_plans_functions_and_names_are_inits() -> None:
    plan = initium.plan(TASK.make_model("mlp4-relu"), policy="lsuv", **vars(TASK.probe(16)))
    other = initium.plan(TASK.make_model("mlp4-relu"), policy="lsuv", seed=1, **vars(TASK.probe(16)))
    data = inits_data(["lsuv", plan, other])
    assert list(data) == ["lsuv", "plan lsuv", "plan lsuv #2"]
    assert json.loads(json.dumps(data)) == data
    assert list(inits_data({"ours": "auto", "theirs": "auto"})) == ["ours", "theirs"]


def test_a_folder_tells_its_task(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a kind of task nor an existing path"):
        opened_task(tmp_path / "missing")
    with pytest.raises(UsageError, match="no data set of a known format"):
        opened_task(tmp_path)
    assert opened_task(TASK) is TASK


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"make": "mlp4-rellu"}, UnknownNameError, "activation"),
        ({"make": lambda: None}, UsageError, "lambda"),
        ({"make": nn.Linear(2, 2)}, UsageTypeError, "pass the function or class"),
        ({"make": "no_such_module:make"}, UsageError, "no_such_module"),
        ({"inits": "auto"}, UsageTypeError, "a list of inits"),
        ({"inits": ["auto"]}, UsageError, "at least two"),
        ({"inits": ["auto", "auto"]}, UsageError, "given twice"),
        ({"inits": ["auto", "he_norml"]}, UnknownNameError, "he_normal"),
        ({"task": "clasification"}, UsageError, "neither a kind"),
        ({"optimizer": "lion"}, UnknownNameError, "adamw"),
        ({"lrs": [0.0]}, UsageError, "learning rates"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], error: type[InitiumError], words: str) -> None:
    with pytest.raises(error, match=words):
        asked(**changes)


def test_defaults_fit_the_task() -> None:
    assert (asked().base.steps, asked().base.batch_size) == (150, 128)
    found = asked("", open_task("segmentation")).base
    assert (found.model, found.steps, found.batch_size) == ("fcn9", 150, 16)
    assert asked(steps=7, batch_size=3).base.steps == 7
