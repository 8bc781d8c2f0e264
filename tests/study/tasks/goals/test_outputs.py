"""Which tensor of an output is trained."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from initium.errors import UsageError
from initium.study.tasks.goals.outputs import main_tensor

MAIN, OTHER = torch.tensor([1.0, 2.0]), torch.tensor([3.0])


@pytest.mark.parametrize(
    "output",
    [
        MAIN, (MAIN, OTHER), [MAIN, OTHER, None], {"aux": OTHER, "out": MAIN}, {"out": OTHER, "logits": MAIN},
        OrderedDict(loss=OTHER, logits=MAIN), SimpleNamespace(loss=OTHER, logits=MAIN), SimpleNamespace(out=MAIN),
        {"logits": None, "out": MAIN},
    ],
)  # fmt: skip
def test_the_main_tensor_is_itself(output: Any) -> None:
    assert main_tensor(output) is MAIN


@pytest.mark.parametrize("output", [None, (), (None, MAIN), {"aux": MAIN}, 3.0, "text"])
def test_what_has_none_is_told(output: Any) -> None:
    with pytest.raises(UsageError, match=f"returned a {type(output).__name__}"):
        main_tensor(output)
