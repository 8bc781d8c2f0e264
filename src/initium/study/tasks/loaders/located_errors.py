"""Where in a file something stands, so that an error can say so."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.parsers import expat

from initium.errors import UsageError

SPACE = re.compile(r"[ \t\r\n]*")
MOST_SHOWN = 5


def place(path: Path, line: int | None = None) -> str:
    """`file:line`, or the file alone."""
    return str(path) if line is None else f"{path}:{line}"


class Problems:
    """What is wrong with a data set, gathered so that one error tells several."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.found: list[tuple[str, str, str]] = []
        self.more = 0

    def add(self, where: str, seen: str, expected: str) -> None:
        """Notes one problem; past the first few they are only counted."""
        if len(self.found) < MOST_SHOWN:
            self.found.append((where, seen, expected))
        else:
            self.more += 1

    def raise_if_any(self, remedy: str) -> None:
        """Raises one UsageError for all of them."""
        if not self.found:
            return
        lines = [f"{where}: {seen}" for where, seen, _ in self.found]
        if self.more:
            lines.append(f"... and {self.more} more")
        raise UsageError("\n".join([f"{self.what}:", *lines]), expected=self.found[0][2], remedy=remedy)


def read_json(path: Path) -> Any:
    """The JSON value in a file; an error with file and line for anything else."""
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{place(path, error.lineno)}: not JSON ({error.msg}, column {error.colno})",
            expected="a complete JSON file",
            remedy="repair that line, or export the annotations again",
        ) from error


def line_of(path: Path, keys: Sequence[str | int]) -> int | None:
    """The line on which a value of a JSON file starts; `keys` lead to it. Read again, since only errors ask."""
    text = _text(path)
    at = SPACE.match(text).end()  # type: ignore[union-attr]
    for key in keys:
        found = _member(text, at, key) if isinstance(key, str) else _item(text, at, key)
        if found is None:
            return None
        at = found
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, key: str) -> int | None:
    """Where the value of a key of the object that starts at `at` starts."""
    decode = json.JSONDecoder().raw_decode
    if text[at] != "{":
        return None
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if name == key:
            return at
        at = _after(text, decode(text, at)[1])
    return None


def _item(text: str, at: int, index: int) -> int | None:
    """Where an item of the array that starts at `at` starts."""
    decode = json.JSONDecoder().raw_decode
    if text[at] != "[":
        return None
    at = _skip(text, at + 1)
    for _ in range(index):
        if text[at] == "]":
            return None
        at = _after(text, decode(text, at)[1])
    return at


def _skip(text: str, at: int) -> int:
    return SPACE.match(text, at).end()  # type: ignore[union-attr]


def _after(text: str, at: int) -> int:
    """The start of what follows a value: past the comma, if there is one."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


class Element:
    """An element of an XML file: its name, text, children and line."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.line, self.text = name, line, ""
        self.children: list[Element] = []

    def find(self, name: str) -> Element | None:
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> list[Element]:
        """The children of that name."""
        return [child for child in self.children if child.name == name]


def read_xml(path: Path) -> Element:
    """The root element of an XML file; entities are refused, so that a file cannot grow or reach out."""
    root = Element("", 0)
    open_elements = [root]
    parser = expat.ParserCreate()

    def start(name: str, _: object) -> None:
        element = Element(name, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        open_elements[-1].text += data

    def entity(name: str, *_: object) -> None:
        raise UsageError(
            f"{place(path, parser.CurrentLineNumber)}: declares the entity {name!r}",
            expected="annotations without entities",
            remedy="remove the declaration",
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, entity
    try:
        parser.Parse(path.read_bytes(), True)
    except expat.ExpatError as error:
        raise UsageError(
            f"{place(path, error.lineno)}: not XML ({expat.errors.messages[error.code]})",
            expected="a complete VOC annotation",
            remedy="repair that line, or export the annotation again",
        ) from error
    return root.children[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", expected="a file that can be read", remedy="give its full path"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: not text in UTF-8", expected="a JSON file", remedy="give the file of the annotations"
        ) from error
