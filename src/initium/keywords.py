"""Keyword arguments that are written as text: `depth=20`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from initium.errors import UsageError


def keyword(text: str) -> tuple[str, object]:
    """Reads `key=value`; the value is a Python literal where it looks like one, else text.

    >>> keyword("depth=20"), keyword("name=a b"), keyword("norm=None"), keyword("sizes=(1, 2)"), keyword("x=true")
    (('depth', 20), ('name', 'a b'), ('norm', None), ('sizes', (1, 2)), ('x', True))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise UsageError(
            f"{text!r} is no keyword argument",
            expected="key=value with a name that Python allows",
            remedy="write for example depth=20",
        )
    lowered = {"true": True, "false": False, "none": None, "null": None}
    if value.lower() in lowered:
        return key, lowered[value.lower()]
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return key, value


def keywords(texts: Sequence[str]) -> dict[str, Any]:
    """Several `key=value`, each key once."""
    pairs = [keyword(text) for text in texts]
    twice = sorted({key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1})
    if twice:
        raise UsageError(
            f"{twice[0]} is given more than once",
            expected="each key once",
            remedy=f"leave out one {twice[0]}=",
        )
    return dict(pairs)
