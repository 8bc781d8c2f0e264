"""Records that print themselves: as text, in a notebook, as a page."""

from __future__ import annotations

import os
from pathlib import Path

from initium.report.document import document_of
from initium.report.page import fragment, write_html
from initium.report.text import render


class Readable:
    """A record that reads as the document that `document_of` makes of it."""

    __slots__ = ()

    def __str__(self) -> str:
        return render(document_of(self))

    def _repr_html_(self) -> str:
        return fragment(document_of(self))

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the record as one self-contained page and return its path."""
        return write_html(path, document_of(self))
