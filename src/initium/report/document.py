"""What a report is made of: plain records that `text` and `page` both know how to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Literal, TypeAlias

from initium.report.charts.svg import Svg

Level = Literal["good", "note", "warning", "error"]
"""How bad: `good` all is well, `note` worth knowing, `warning` it may fail, `error` it will."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A table cell with a colour.

    Args:
        value: shown as any other cell.
        level: gives the colour; in plain text the value stands alone.
    """

    value: object
    level: Level


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing to read: one word of level, one sentence.

    Args:
        level: gives the colour.
        word: the verdict, such as "unhealthy".
        sentence: why, in one sentence.
    """

    level: Level
    word: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Prose:
    """Running text; an empty line starts a new paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Text that keeps its line breaks and spaces."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A few names with their values: (("parameters", 1200), ...)."""

    pairs: Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Callout:
    """A finding: a title, and named lines such as ("what to do", "...").

    Args:
        level: gives the colour.
        title: one sentence.
        lines: (name, text) pairs below it.
        code: the stable code of the finding, such as "IN201".
    """

    level: Level
    title: str
    lines: Sequence[tuple[str, str]] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; a column whose cells are all numbers is set flush right.

    Args:
        columns: headings.
        rows: cells are numbers, text, None or `Mark`.
        limit: in plain text, rows to show before "... and so many more"; None shows all.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    limit: int | None = None

    def __post_init__(self) -> None:
        """Refuses ragged rows, a bug of the caller."""
        assert all(len(row) == len(self.columns) for row in self.rows), "a row has too few or too many cells"

    def numeric(self, column: int) -> bool:
        """Whether column number `column` holds nothing but numbers."""
        cells = [row[column] for row in self.rows]
        values = [value.value if isinstance(value, Mark) else value for value in cells]
        seen = [value for value in values if value is not None]
        return bool(seen) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in seen)


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart; `caption` also stands for it in plain text."""

    svg: Svg
    caption: str = ""

    def __post_init__(self) -> None:
        """Refuses markup that did not come from this package, and so was not escaped by it."""
        assert isinstance(self.svg, Svg), "a figure is made by initium.report.charts.charts"


Block: TypeAlias = Prose | Code | Facts | Callout | Table | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it.

    Args:
        title: the heading.
        body: one block, several, or text.
        folded: in a page, closed until the reader opens it.
    """

    title: str
    body: Block | str | Sequence[Block]
    folded: bool = False

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The body as a tuple of blocks."""
        body = Prose(self.body) if isinstance(self.body, str) else self.body
        return tuple(body) if isinstance(body, Sequence) else (body,)


@dataclass(frozen=True, slots=True)
class Document:
    """A report: title, verdict, sections.

    Args:
        title: what was looked at.
        verdict: the outcome in one sentence; None for a plain listing.
        sections: the rest, most important first.
        footer: how it was made (versions, seed), one line.
    """

    title: str
    verdict: Verdict | None
    sections: Sequence[Section]
    footer: str = ""


@singledispatch
def document_of(record: object) -> Document:
    """The document that a record reads as.

    Views register themselves here by the class they show, so that a record need not know its view; the face of each
    package imports its views, and so a record can always be shown.

    Raises:
        TypeError: no view of its class has been registered.

    Example:
        >>> class Note:
        ...     pass
        >>> @document_of.register
        ... def _(note: Note) -> Document:
        ...     return Document("A note", None, [])
        >>> document_of(Note()).title
        'A note'
    """
    raise TypeError(f"no view is registered for {type(record).__name__}; see initium.report.document_of")
