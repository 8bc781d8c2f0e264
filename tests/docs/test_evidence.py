"""Every evidence id that code and manual cite is on the page of evidence, and none stands there that nobody cites."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evidence.md"
ID = re.compile(r"\b[A-Z]-[a-z0-9]+(?:-[a-z0-9]+)*\b")
ROW = re.compile(rf"^\| ({ID.pattern}) \|", re.MULTILINE)
CITED = re.compile(rf"evidence: ({ID.pattern}(?:, {ID.pattern})*)")
COMMIT = re.compile(r"^[0-9a-f]{7,40}$")
DATE = re.compile(r"^20\d\d-\d\d-\d\d$")


def rows() -> dict[str, list[str]]:
    """The rest of the row of each id: claim, command, commit, date."""
    text = PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if ROW.match(line)]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {first: rest for first, *rest in cells}


def cited_in_code() -> dict[str, list[str]]:
    """Id -> the files of the package that cite it."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for ids in CITED.findall(path.read_text(encoding="utf-8")):
            for one in ids.split(", "):
                found.setdefault(one, []).append(str(path.relative_to(ROOT)))
    return found


def cited_in_manual() -> set[str]:
    """The ids that the other pages name."""
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "benchmarks").rglob("*.py")]
    return {one for page in pages if page != PAGE for one in ID.findall(page.read_text(encoding="utf-8"))}


def test_a_citation_is_found_in_a_comment_and_in_a_docstring() -> None:
    text = '"""Why. evidence: E-one-two, B-three."""\n# evidence: C-4'
    assert CITED.findall(text) == ["E-one-two, B-three", "C-4"]


def test_every_id_that_the_code_cites_is_on_the_page() -> None:
    cited = cited_in_code()
    assert cited
    assert {one: files for one, files in cited.items() if one not in rows()} == {}


def test_every_id_that_the_manual_cites_is_on_the_page() -> None:
    prefixes = {one[0] for one in rows()}
    assert {one for one in cited_in_manual() if one[0] in prefixes} - rows().keys() == set()


def test_every_id_on_the_page_is_cited_or_history() -> None:
    named = cited_in_code().keys() | cited_in_manual()
    assert [one for one, cells in rows().items() if one not in named and "history" not in cells[0]] == []


def test_no_id_stands_twice() -> None:
    ids = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("one", sorted(rows()))
def test_a_row_has_figures_a_command_a_commit_and_a_date(one: str) -> None:
    claim, command, commits, date = rows()[one]
    assert re.search(r"\d", claim), "a claim without a figure is no measurement"
    assert command.startswith("by hand") or "`" in command
    assert all(COMMIT.match(commit) for commit in commits.split(", "))
    assert DATE.match(date)


def test_commits_on_the_page_exist() -> None:
    """Where the checkout holds the history; a shallow clone has no part of it, and a source archive none."""
    if git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("no history here")
    commits = {commit for cells in rows().values() for commit in cells[2].split(", ")}
    assert {commit: git("cat-file", "-t", commit) for commit in commits} == dict.fromkeys(commits, "commit")


def git(*words: str) -> str:
    """What git prints; nothing if it fails."""
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
