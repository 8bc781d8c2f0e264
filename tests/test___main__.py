"""`python -m initium` is the command."""

from __future__ import annotations

import runpy
import sys

import pytest


def test_the_package_runs_as_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["initium", "explain", "he_normal"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("initium", run_name="__main__")
    assert not ended.value.code
    assert "1502.01852" in capsys.readouterr().out


def test_a_wrong_use_is_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["initium", "no-such-verb"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("initium", run_name="__main__")
    assert ended.value.code == 2
    assert "no-such-verb" in capsys.readouterr().err
