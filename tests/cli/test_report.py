"""`initium report` shows what a store holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.study.made import compared

from initium.cli.main import main
from initium.study import report_store as home

FOUND = compared({"auto": 0.5, "shipped": 1.5})


def run(*arguments: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(main, ["report", *arguments])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The stores that were asked for; each holds `FOUND`."""
    stores: list[Path] = []
    monkeypatch.setattr(home, "report", lambda store: stores.append(store) or FOUND)
    return stores


def test_text_json_and_page_are_those_of_the_comparison(asked: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    text = run("study.db", "--html", str(page))
    assert text.exit_code == 0, text.output
    assert asked == [Path("study.db")]
    assert str(FOUND).splitlines()[1] in text.stdout
    assert "auto wins" in page.read_text()
    told = json.loads(run("study.db", "--json").stdout)
    assert told == json.loads(FOUND.to_json())
    assert told["decision"]["winner"] == "auto"


def test_a_page_that_cannot_be_written_is_told_before_anything_is_read(
    asked: list[Path], tmp_path: Path
) -> None:
    done = run("study.db", "--html", str(tmp_path / "none" / "out.html"))
    assert done.exit_code != 0
    assert asked == []


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run(str(tmp_path / "none.db"))
    assert done.exit_code != 0
    assert "none.db" in done.output
