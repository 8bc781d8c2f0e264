from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

import initium
from initium.diagnose import checks
from initium.diagnose.finding import Finding
from initium.errors import ContractError

FINDING = Finding("IN901", "warning", ("0.weight",), "seen", "expected", "why", "remedy")


def yields(one: Any) -> Any:
    def mine(measures: Any) -> Any:
        yield one

    return mine


def raises(measures: Any) -> Any:
    raise ZeroDivisionError("by zero")


BROKEN: dict[str, tuple[Any, str]] = {
    "two arguments": (lambda measures, graph: (), "missing a required argument"),
    "no function": ("check_mine", "a str cannot be called"),
    "an exception": (raises, "raised ZeroDivisionError: by zero"),
    "nothing to go through": (lambda measures: 3, "raised TypeError"),
    "a text": (yields("bad"), "yielded a str"),
    "a code of its own": (yields(replace(FINDING, code="MY1")), "the code 'MY1'"),
    "a severity of its own": (yields(replace(FINDING, severity="fatal")), "severity 'fatal'"),  # type: ignore[arg-type]
    "a name in place of names": (yields(replace(FINDING, where="0.weight")), "`where`"),  # type: ignore[arg-type]
    "no remedy": (yields(replace(FINDING, remedy="")), "with remedy ''"),
    "half a rule": (yields(replace(FINDING, rule={"where": "*"})), "with the rule"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_check_is_named_with_what_is_asked(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, told = BROKEN[kind]
    monkeypatch.setattr(checks, "CHECKS", (*checks.CHECKS, check))
    with pytest.raises(ContractError) as error:
        initium.diagnose(nn.Sequential(nn.Linear(4, 2)), torch.randn(8, 4))
    assert told in error.value.seen
    assert "the check" in error.value.seen
    assert "initium.diagnose.measures.Measures" in error.value.expected
    assert "check_health_check" in error.value.remedy


def test_what_cannot_be_called_is_told_before_the_model_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    class Net(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            ran.append(x)
            return super().forward(x)

    monkeypatch.setattr(checks, "CHECKS", (lambda: (),))
    with pytest.raises(ContractError):
        initium.diagnose(Net(4, 2), torch.randn(8, 4))
    assert not ran


def test_a_whole_finding_is_shown_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", (yields(FINDING),))
    report = initium.diagnose(nn.Sequential(nn.Linear(4, 2)), torch.randn(8, 4))
    assert report.findings == (FINDING,)
    assert report.verdict == "warning"
