from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from initium.report.charts.charts import Series, line_chart
from initium.report.document import (
    Callout,
    Code,
    Document,
    Facts,
    Figure,
    Mark,
    Prose,
    Section,
    Table,
    Verdict,
)
from initium.report.format import clean
from initium.report.text import render, show, wrap

DOCUMENT = Document(
    "Diagnosis of Net",
    Verdict("error", "unhealthy", "the gradient vanishes"),
    [
        Section(
            "Findings", [Callout("error", "no gradient", [("where", "a.0"), ("what to do", "plan")], "IN201")]
        ),
        Section("Model", Facts([("parameters", 1234), ("depth", 20)])),
        Section("Layers", Table(["name", "moment"], [["a.0", 1.5], ["a.10", Mark(1e-9, "error")]])),
        Section("Then", [Prose("Run this:"), Code("initium plan x\n  -o plan.json")]),
        Section("Chart", Figure(line_chart([Series("s", [0], [1])], title="t"), "signal through depth")),
    ],
    footer="seed 0",
)

EXPECTED = """\
Diagnosis of Net
UNHEALTHY  the gradient vanishes

Findings
IN201  no gradient
  where       a.0
  what to do  plan

Model
parameters  1,234
depth       20

Layers
name  moment
----  ------
a.0      1.5
a.10   1e-09

Then
Run this:

    initium plan x
      -o plan.json

Chart
[chart: signal through depth]

seed 0"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_whole_text():
    assert render(DOCUMENT) == EXPECTED


def test_a_file_gets_plain_text():
    file = io.StringIO()
    show(DOCUMENT, file)
    assert file.getvalue() == EXPECTED + "\n"


def test_a_terminal_gets_colour_unless_it_says_no(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    coloured = Terminal()
    show(DOCUMENT, coloured)
    assert "\x1b[1;31mUNHEALTHY" in coloured.getvalue()

    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    show(DOCUMENT, plain)
    assert "\x1b[1;31m" not in plain.getvalue()
    assert "UNHEALTHY" in plain.getvalue()


def test_long_tables_end_with_what_is_missing():
    table = Table(["n"], [[i] for i in range(1500)], limit=2)
    text = render(Document("t", None, [Section("s", table)]))
    assert text.endswith("0\n1\n... and 1,498 more")


def test_wide_tables_lose_the_middle_of_names():
    name = "backbone.body.layer4." + "x" * 100 + ".weight"
    text = render(Document("t", None, [Section("s", Table(["name", "v"], [[name, 1.0]]))]), width=60)
    row = text.splitlines()[-1]
    assert len(row) <= 60
    assert row.startswith("backbone.body")
    assert ".weight" in row


def test_lines_wrap_with_a_hanging_indent():
    long = "word " * 40
    text = render(
        Document("t", Verdict("error", "bad", long), [Section("s", Callout("error", long))]), width=50
    )
    assert all(len(line) <= 50 for line in text.splitlines())
    assert "\n  word" in text


@pytest.mark.parametrize("hostile", ["\x1b[2J\x1b]0;owned\x07", "a\u202eb", "[bold]x[/bold]", "\r\x00"])
def test_hostile_names_are_inert_everywhere(hostile):
    document = Document(
        hostile,
        Verdict("error", hostile, hostile),
        [
            Section(hostile, [Prose(hostile), Code(hostile), Facts([(hostile, hostile)])]),
            Section(hostile, Callout("error", hostile, [(hostile, hostile)], hostile)),
            Section(hostile, Table([hostile], [[hostile]])),
        ],
        footer=hostile,
    )
    text = render(document)
    assert not set("\x1b\x07\x00\r\u202e") & set(text)
    if hostile.startswith("[bold]"):
        assert "[bold]x[/bold]" in text


def test_prose_in_tables_is_wrapped_and_stays_in_its_column():
    table = Table(["rule", "why", "n"], [["a.long.name", "because " * 12 + "so", 1], ["b", "short", 2]])
    lines = render(Document("t", None, [Section("s", table)]), width=50).splitlines()[3:]
    assert all(len(line) <= 50 for line in lines)
    column = lines[0].index("why")
    assert lines[2].startswith("a.long.name")
    assert lines[3].index("because") == column
    assert " ".join(line[column:47] for line in lines[2:-1]).split() == ["because"] * 12 + ["so"]
    assert lines[-1].split() == ["b", "short", "2"]


def test_chinese_is_broken_between_ideographs_but_not_before_punctuation():
    text = "\u4f60\u597d\uff0c" * 9  # two ideographs and a comma, each two columns wide
    lines = wrap(text, width=20, hang=2).split("\n")
    assert "".join(line.strip() for line in lines) == text
    assert all(cell_len(line) <= 20 for line in lines)
    assert all(not line.strip().startswith("\uff0c") for line in lines)


@given(st.text(st.characters(codec="ascii")), st.integers(20, 80))
def test_wrapping_keeps_every_word(text, width):
    assert wrap(text, width=width).split() == clean(text).split()


WORDS = st.text(st.characters(exclude_categories=["Z", "C"]), max_size=60)


@given(st.lists(st.tuples(WORDS, st.floats(), st.integers()), max_size=8), st.integers(30, 120))
def test_tables_are_aligned_and_fit(rows, width):
    text = render(Document("t", None, [Section("s", Table(["name", "a", "b"], rows))]), width=width)
    lines = text.splitlines()[3:]
    assert all(cell_len(line) <= width for line in lines)
    assert len(rows) + 2 == len(lines)


@pytest.mark.parametrize("hang", [0, 2, 8])
def test_lines_that_hang_are_no_longer_than_the_others(hang):
    text = wrap("ab " * 40, width=30, hang=hang)
    lines = text.split("\n")
    assert all(line.startswith(" " * hang) for line in lines[1:])
    assert max(map(len, lines)) <= 30
    assert text.replace("\n", " ").split() == ["ab"] * 40
