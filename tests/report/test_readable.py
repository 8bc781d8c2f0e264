from __future__ import annotations

from pathlib import Path

import pytest

from initium.report import Document, Readable, Section, document_of


class Note(Readable):
    """A record of our own."""


@document_of.register
def _(note: Note) -> Document:
    return Document("<b>note</b>", None, [Section("what", "it says")], "")


def test_one_document_reads_as_text_in_a_notebook_and_as_a_page(tmp_path: Path) -> None:
    note = Note()
    assert "it says" in str(note)
    note.to_html(tmp_path / "note.html")
    for markup in (note._repr_html_(), (tmp_path / "note.html").read_text()):
        assert "it says" in markup
        assert "<b>note" not in markup


def test_a_record_without_a_view_says_so() -> None:
    class Other(Readable):
        pass

    with pytest.raises(TypeError, match="no view is registered for Other"):
        str(Other())
