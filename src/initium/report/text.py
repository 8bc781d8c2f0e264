"""A document as plain text, coloured when a terminal shows it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import IO

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from initium.report.document import (
    Block,
    Callout,
    Code,
    Document,
    Facts,
    Figure,
    Level,
    Mark,
    Prose,
    Section,
    Table,
    Verdict,
)
from initium.report.format import cell, clean

STYLES: dict[Level, str] = {
    "good": "bold green",
    "note": "bold blue",
    "warning": "bold yellow",
    "error": "bold red",
}
TEXT_WIDTH = 100
"""Columns of a report that goes to a file."""

MIN_COLUMN = 8

# An ideograph with the punctuation that must not start a line; or a run of anything else up to a space.
_TOKENS = re.compile(
    "[\u2e80-\u2fff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff][\u3000-\u303f\uff00-\uffef]*|"
    "[^\\s\u2e80-\u2fff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff]+|\\s+"
)


def render(document: Document, *, width: int = TEXT_WIDTH) -> str:
    """`document` as plain text, no line wider than `width` but those that cannot be broken."""
    return "\n".join(line.plain.rstrip() for line in lines(document, width))


def wrap(text: str, *, width: int = TEXT_WIDTH, hang: int = 2) -> str:
    """Plain text with its lines broken to `width`, and continued ones indented by `hang`."""
    made: list[str] = []
    for line in clean(text).split("\n"):
        first, *rest = broken(line, width, hang)
        made += [first, *(" " * hang + piece for piece in rest)]
    return "\n".join(made)


def broken(text: str, width: int, hang: int = 0) -> list[str]:
    """`text` in lines of `width` columns, those after the first `hang` shorter.

    Breaks are at spaces and between ideographs, as Chinese is written without spaces.
    """
    made: list[str] = []
    line = ""
    for token in _TOKENS.findall(text):
        room = width - (hang if made else 0)
        if line.strip() and cell_len((line + token).rstrip()) > room:
            made.append(line.rstrip())
            line = token.lstrip()
        else:
            line += token
    return [*made, line.rstrip()]


def show(document: Document, file: IO[str] | None = None) -> None:
    """Prints `document`: on a terminal in colour (unless NO_COLOR is set) and as wide as it, else plain."""
    out = sys.stdout if file is None else file
    if not (out.isatty() and os.environ.get("TERM") != "dumb"):
        out.write(render(document) + "\n")
        return
    columns = shutil.get_terminal_size((TEXT_WIDTH, 24)).columns
    console = Console(file=out, width=columns, highlight=False, soft_wrap=True)
    for line in lines(document, min(columns, 120)):
        console.print(line)


def lines(document: Document, width: int) -> Iterator[Text]:
    """The lines of `document`, styled."""
    yield from wrapped(Text(clean(document.title), "bold"), width)
    if document.verdict is not None:
        yield from verdict_lines(document.verdict, width)
    for section in document.sections:
        yield Text("")
        yield from section_lines(section, width)
    if document.footer:
        yield Text("")
        yield from wrapped(Text(clean(document.footer), "dim"), width)


def verdict_lines(verdict: Verdict, width: int) -> Iterator[Text]:
    """The word in capitals, then the sentence."""
    text = Text(clean(verdict.word).upper(), STYLES[verdict.level])
    if verdict.sentence:
        text.append(f"  {clean(verdict.sentence)}", "not bold default")
    yield from wrapped(text, width, hang=2)


def section_lines(section: Section, width: int) -> Iterator[Text]:
    """The heading, and the blocks with an empty line between them."""
    yield Text(clean(section.title), "bold underline")
    for i, block in enumerate(section.blocks):
        if i and not (isinstance(block, Figure) and not block.caption):
            yield Text("")
        yield from block_lines(block, width)


def block_lines(block: Block, width: int) -> Iterator[Text]:
    """One block."""
    match block:
        case Prose(text):
            for paragraph in clean(text).split("\n"):
                yield from wrapped(Text(paragraph), width)
        case Code(text):
            yield from (Text("    " + line, "cyan") for line in clean(text).splitlines())
        case Facts(pairs):
            yield from _fact_lines(pairs, width)
        case Callout():
            yield from _callout_lines(block, width)
        case Table():
            yield from table_lines(block, width)
        case Figure(_, caption) if caption:
            yield from wrapped(Text(f"[chart: {clean(caption)}]", "dim"), width)


def table_lines(table: Table, width: int) -> Iterator[Text]:
    """Aligned columns; where the line is too long the widest give way: text is wrapped, names lose their middle."""
    kept = table.rows if table.limit is None else table.rows[: table.limit]
    grid = [[_plain(value) for value in row] for row in kept]
    heads = [clean(name) for name in table.columns]
    right = [table.numeric(i) for i in range(len(heads))]
    sizes = _column_sizes([heads, *grid], width)
    yield from _row_lines(heads, ["bold"] * len(heads), sizes, right)
    yield Text("  ".join("-" * size for size in sizes), "dim")
    for row, values in zip(grid, kept, strict=True):
        styles = [STYLES[value.level] if isinstance(value, Mark) else "" for value in values]
        yield from _row_lines(row, styles, sizes, right)
    if len(kept) < len(table.rows):
        yield Text(f"... and {len(table.rows) - len(kept):,} more", "dim")


def wrapped(text: Text, width: int, hang: int = 0) -> Iterator[Text]:
    """`text` broken at spaces; lines after the first are indented by `hang`."""
    if cell_len(text.plain) <= width or not text.plain.strip():
        yield text
        return
    for i, line in enumerate(text.wrap(_WRAPPER, max(width - hang, 20))):
        line.rstrip()
        yield Text(" " * hang) + line if i and hang else line


def _fact_lines(pairs: Sequence[tuple[str, object]], width: int) -> Iterator[Text]:
    size = max((cell_len(clean(name)) for name, _ in pairs), default=0)
    for name, value in pairs:
        text = Text(clean(name) + " " * (size - cell_len(clean(name)) + 2), "dim")
        text.append(cell(value), "not dim default")
        yield from wrapped(text, width, hang=size + 2)


def _callout_lines(callout: Callout, width: int) -> Iterator[Text]:
    head = Text(callout.level.upper() if not callout.code else clean(callout.code), STYLES[callout.level])
    head.append(f"  {clean(callout.title)}", "bold default")
    yield from wrapped(head, width, hang=2)
    size = max((cell_len(clean(name)) for name, _ in callout.lines), default=0)
    for name, value in callout.lines:
        text = Text("  " + clean(name) + " " * (size - cell_len(clean(name)) + 2), "dim")
        text.append(clean(value), "not dim default")
        yield from wrapped(text, width, hang=size + 4)


def _plain(value: object) -> str:
    return cell(value.value if isinstance(value, Mark) else value).replace("\n", " ").replace("\t", " ")


def _column_sizes(grid: list[list[str]], width: int) -> list[int]:
    sizes = [max(cell_len(row[i]) for row in grid) for i in range(len(grid[0]))]
    while sum(sizes) + 2 * (len(sizes) - 1) > width:
        widest = max(range(len(sizes)), key=lambda i: sizes[i])
        if sizes[widest] <= MIN_COLUMN:
            break
        sizes[widest] -= 1
    return sizes


def _row_lines(cells: list[str], styles: list[str], sizes: list[int], right: list[bool]) -> Iterator[Text]:
    """One row, as many lines as its longest text needs."""
    pieces = [_pieces(text, size) for text, size in zip(cells, sizes, strict=True)]
    for i in range(max(map(len, pieces))):
        line = Text()
        for j, (piece, style, size, flush) in enumerate(zip(pieces, styles, sizes, right, strict=True)):
            line.append("  " if j else "")
            line.append(_fit(piece[i] if i < len(piece) else "", size, flush), style)
        yield line


def _pieces(text: str, size: int) -> list[str]:
    """`text` in lines of `size` columns where it has spaces to break it at."""
    if cell_len(text) <= size or " " not in text.strip():
        return [text]
    return broken(text, size)


def _fit(text: str, size: int, right: bool) -> str:
    """`text` in exactly `size` columns; too long a text loses its middle, as names differ at their ends."""
    length = cell_len(text)
    if length > size:
        keep = size - 2
        head = set_cell_size(text, keep // 2)
        tail = text
        while cell_len(tail) > keep - keep // 2:
            tail = tail[1:]
        text = set_cell_size(f"{head}..{tail}", size)
    pad = " " * (size - cell_len(text))
    return pad + text if right else text + pad


_WRAPPER = Console(width=TEXT_WIDTH, color_system=None, legacy_windows=False)
