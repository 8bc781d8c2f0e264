"""Values that come from a file: the value if it has the right kind, else a ValueError."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def texts(values: Any) -> tuple[str, ...]:
    """A list of strings."""
    if not isinstance(values, list):
        raise ValueError(f"{values!r} is no list of texts")
    return tuple(text(value) for value in values)


def whole(value: Any, low: int | None = None) -> int:
    """An integer, at least `low` if that is given."""
    if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
        raise ValueError(f"{value!r} is no whole number" + ("" if low is None else f" of at least {low}"))
    return value


def number(value: Any) -> float:
    """A number; nan and inf are numbers too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} is no number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a whole number beyond the range of float") from None


def positive(value: Any, what: str) -> float:
    """A finite number above zero."""
    if not 0 < number(value) < math.inf:
        raise ValueError(f"{what} {value!r} is not a positive number")
    return number(value)


def number_or_none(value: Any) -> float | None:
    """A number, or nothing."""
    return None if value is None else number(value)


def nothing_left(rest: Mapping[str, Any]) -> None:
    """Raises unless every field has been taken."""
    if rest:
        raise ValueError(f"unknown fields {sorted(rest)[:3]}")


def truth(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def items(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is no list")
    return value


def entries(value: Any) -> dict[str, Any]:
    """A JSON object: a mapping of texts."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{value!r} is no object")
    return dict(value)
