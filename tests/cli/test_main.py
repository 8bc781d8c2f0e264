from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from initium.cli import main as module
from initium.cli.main import VERBS, main
from initium.errors import ModelRunError, UnhealthyModelError, UsageError, UsageTypeError


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["--version"], ["diagnose", "--help"], ["plan", "-h"]]
)
def test_help_does_not_import_torch(arguments):
    done = python(
        "import sys\n"
        "from initium.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules and 'rich' not in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr
    assert "initium" in done.stdout


def test_help_lists_every_verb_and_each_verb_has_help():
    shown = run("--help").output
    assert all(verb in shown and line in shown for verb, line in VERBS.items())
    for verb in VERBS:
        done = run(verb, "--help")
        assert done.exit_code == 0
        assert f" {verb} " in done.output


def test_help_warns_that_files_are_executed():
    for verb in ("diagnose", "plan", "apply"):
        assert "imported and its factory called: name only code that you trust" in " ".join(
            run(verb, "--help").output.split()
        )


def test_an_unknown_verb_is_met_with_the_nearest():
    done = run("diagnoze")
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: unknown verb 'diagnoze'\n"
        f"  expected: one of {', '.join(VERBS)}\n"
        "  what to do: did you mean diagnose?\n"
    )


@pytest.mark.parametrize(
    ("kind", "code"), [(UsageError, 2), (UsageTypeError, 2), (ModelRunError, 1), (UnhealthyModelError, 1)]
)
def test_errors_become_messages_and_exit_codes(monkeypatch, kind, code):
    def fail():
        raise kind("seen \x1b[31m", expected="expected", remedy="remedy")

    command = click.Command("explain", callback=fail)
    monkeypatch.setattr(module.Verbs, "get_command", lambda self, ctx, name: command)
    done = run("explain")
    assert done.exit_code == code
    assert done.stderr == "Error: seen \\x1b[31m\n  expected: expected\n  what to do: remedy\n"
    assert done.stdout == ""


def test_a_bug_of_ours_is_not_hidden(monkeypatch):
    command = click.Command("explain", callback=lambda: 1 // 0)
    monkeypatch.setattr(module.Verbs, "get_command", lambda self, ctx, name: command)
    assert isinstance(run("explain").exception, ZeroDivisionError)


def test_a_missing_or_unknown_option_is_a_usage_error():
    assert run("diagnose").exit_code == 2
    assert run("diagnose", "x", "--nope").exit_code == 2
    assert run("--nope").exit_code == 2


def test_python_dash_m_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "initium", "--version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("initium")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_finds_no_room_is_told_in_three_parts():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "initium", "methods"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Error: the output cannot be written (No space left on device)\n  expected: "
    )
    assert "what to do: free some space" in done.stderr
