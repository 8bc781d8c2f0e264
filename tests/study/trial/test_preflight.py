"""What would make every trial fail is found before the first one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.study.contest.test_compare import Interrupting, tiny

import initium
from initium.errors import InitiumError, UsageError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inits": ["auto", "ghn"]}, "ghn"),
        ({"engine": "serial", "workers": 3}, "3 workers"),
        ({"address": "host:6379"}, "leave the address out"),
    ],
)
def test_what_cannot_work_is_found_before_the_first_trial(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        tiny(**{"store": tmp_path / "study.db", "progress": Interrupting(1), **changes})


def test_a_plan_for_another_model_is_found_before_the_first_trial() -> None:
    from initium.study.tasks import open_task

    task = open_task("classification")
    plan = initium.plan(task.make_model("mlp8-relu"), policy="he_normal", **vars(task.probe(16)))
    with pytest.raises(InitiumError, match="init 'plan he_normal' on mlp4-relu"):
        tiny(inits=["auto", plan], progress=Interrupting(1))


def test_a_model_that_workers_cannot_make_is_found_before_the_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that asks for a variable of the controller's environment that its workers lack."""
    path = tmp_path / "net.py"
    path.write_text(
        "import os\nfrom initium.engines.perform import MARK\nfrom torch import nn\n"
        "def make():\n    if os.environ.get(MARK):\n        raise OSError('no licence here')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))\n"
    )
    with pytest.raises(
        UsageError,
        match=r"net\.py:4 .make.: a worker of the engine .processes. cannot begin.*no licence here",
    ):
        tiny(f"{path}:make", engine="processes", workers=1, progress=Interrupting(1))
