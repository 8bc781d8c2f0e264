"""Functions by reference: named, found again, refused with a reason."""

from __future__ import annotations

import functools
import json
import runpy
import sys
from pathlib import Path

import pytest

from initium.engines.reference import function_of, name_of
from initium.errors import UsageError

SCRIPT = """
from initium.engines.reference import name_of

def mine():
    return 7

class Net:
    @staticmethod
    def make():
        return "net"

if __name__ == "__main__":
    NAMES = [name_of(mine), name_of(Net.make), name_of(Net)]
"""


def outer() -> object:
    def inner() -> None: ...

    return inner


class Holder:
    @staticmethod
    def method() -> int:
        return 3


@pytest.mark.parametrize("function", [json.dumps, Path, Holder.method, json.JSONDecoder])
def test_round_trip(function: object) -> None:
    assert function_of(name_of(function)) is function  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda: 1, "lambda"),
        (outer(), "inside another function"),
        (functools.partial(json.dumps), "object without a name"),
        (functools.wraps(json.dumps)(lambda: 1), "another object"),
    ],
)
def test_what_a_worker_cannot_import_is_refused(function: object, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        name_of(function)  # type: ignore[arg-type]


def test_functions_of_a_script_go_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "my script.py"
    script.write_text(SCRIPT)
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "__spec__", None)
    monkeypatch.setattr(main, "__file__", str(script), raising=False)
    names = _names_of_main(script, monkeypatch)
    assert names == [f"{script}:mine", f"{script}:Net.make", f"{script}:Net"]
    assert function_of(names[0])() == 7
    assert function_of(names[1])() == "net"
    assert function_of(names[0]) is function_of(names[0])


def _names_of_main(script: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Runs the script as `python script.py` does: as `__main__`, with a file and no spec."""
    found = runpy.run_path(str(script), run_name="other")
    main = sys.modules["__main__"]
    for name in ("mine", "Net"):
        found[name].__module__ = "__main__"
        monkeypatch.setattr(main, name, found[name], raising=False)
    found["Net"].make.__module__ = "__main__"
    return [name_of(found["mine"]), name_of(found["Net"].make), name_of(found["Net"])]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("json", "names no function"),
        ("json:nothing", "no 'nothing'"),
        ("no.such.module:f", "cannot be imported"),
        ("/no/such/file.py:f", "no such file"),
    ],
)
def test_what_cannot_be_found_is_told(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        function_of(text)


def test_a_file_that_raises_is_told_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text("raise ValueError('broken')")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"bad\.py cannot be loaded \(ValueError: broken\)"):
            function_of(f"{path}:f")
    assert str(tmp_path) not in sys.path
