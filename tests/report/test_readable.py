from __future__ import annotations

from pathlib import Path

from initium.report import Document, Readable, Section


class Note(Readable):
    def _document(self) -> Document:
        return Document("<b>note</b>", None, [Section("what", "it says")], "")


def test_one_document_reads_as_text_in_a_notebook_and_as_a_page(tmp_path: Path) -> None:
    note = Note()
    assert "it says" in str(note)
    note.to_html(tmp_path / "note.html")
    for markup in (note._repr_html_(), (tmp_path / "note.html").read_text()):
        assert "it says" in markup
        assert "<b>note" not in markup
