"""Records that print themselves: as text, in a notebook, as a page."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from initium.report.document import Document
from initium.report.page import fragment, write_html
from initium.report.text import render


class Readable(ABC):
    """A record that reads as one document."""

    __slots__ = ()

    @abstractmethod
    def _document(self) -> Document:
        """The record as a document."""

    def __str__(self) -> str:
        return render(self._document())

    def _repr_html_(self) -> str:
        return fragment(self._document())

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write the record as one self-contained page and return its path."""
        return write_html(path, self._document())
