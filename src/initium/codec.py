"""Records as plain data and back: dataclasses by their type hints, and a table of what the hints do not say.

What is read is checked field by field: an unknown field, a missing one or a value of another kind is an error that
names its place ("assignments[3].layer.groups: 0 is no whole number of at least 1"), and nothing in a file is ever run
or imported. The readers of msgspec and cattrs were weighed for this. msgspec cannot refuse unknown fields of a
dataclass and has no infinities in JSON; cattrs takes "3" for 3 unless every type has a hook of its own. Both leave the
checks between fields to their user, and those are most of what stands in the table.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from initium import plain_data
from initium.errors import InitiumError, UsageError

T = TypeVar("T")
Read = Callable[[Any], Any]
FAULTS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What reading data of another kind may raise."""


@dataclass(frozen=True)
class Numbers:
    """How a format writes floats, since JSON itself has neither nan nor infinities.

    Args:
        read: the float of a JSON value; ValueError if it is none.
        write: the JSON value of a float.
        python: whether nan and inf stand in the text as Python's own reader and writer have them.
    """

    read: Callable[[Any], float]
    write: Callable[[float], Any]
    python: bool = False


def _from_word(value: Any) -> float:
    return float(value) if value in ("nan", "inf", "-inf") else plain_data.number(value)


def _finite(value: Any) -> float:
    found = plain_data.number(value)
    if not math.isfinite(found):
        raise ValueError(f"{found} is not finite")
    return found


PYTHON = Numbers(plain_data.number, float, python=True)
WORDS = Numbers(_from_word, lambda value: value if math.isfinite(value) else str(value))
"""nan and inf are the texts "nan", "inf" and "-inf"."""
NULLS = Numbers(
    lambda value: math.nan if value is None else plain_data.number(value),
    lambda value: value if math.isfinite(value) else None,
)
"""Whatever is not finite is null, and is read as nan."""
FINITE = Numbers(_finite, float)


@dataclass(frozen=True, kw_only=True)
class Form:
    """How one class of records stands in JSON, where its type hints do not say it all.

    Args:
        what: what people call it; of a record that has a file of its own.
        mark: name and version of the format, written first and asked for; "" for a record that is part of another.
        remedy: what to do about a text that is none.
        numbers: how floats are written; None: as in the record that it is part of.
        order: its fields in the order in which they are written; () is the class's own.
        keys: field -> key, where that is another.
        told: key -> what is written for people, and made anew when the text is read.
        brief: fields that are left out where they are empty.
        readers: field -> how its value is read, where the type hint allows too much.
        settle: sees all fields as they were read; checks them together and fills what follows from others.
        fixed: what fields hold that are not written.
    """

    what: str = ""
    mark: str = ""
    remedy: str = ""
    numbers: Numbers | None = None
    order: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    brief: frozenset[str] = frozenset()
    readers: Mapping[str, Read] = field(default_factory=dict)
    settle: Callable[[dict[str, Any]], None] = lambda _: None
    fixed: Mapping[str, Any] = field(default_factory=dict)


_FORMS: dict[type, Form] = {}
_PLAIN = Form()


def register(kind: type, form: Form) -> None:
    """Says how records of a class stand in JSON; the face of each package registers its own when it is imported."""
    _FORMS[kind] = form


class Stored:
    """A record that is kept as JSON text, in the form that is registered for its class."""

    __slots__ = ()

    def to_json(self) -> str:
        """The record as JSON text: plain data, no code and no import names."""
        numbers = _FORMS[type(self)].numbers or PYTHON
        return json.dumps(to_data(self), indent=1, allow_nan=numbers.python)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The record in a JSON text, every field checked.

        Raises:
            UsageError: the text is none, or a field of it is of another kind.
            InitiumError: it names a method or parameter that is not known.
        """
        return _named(cls, lambda: json.loads(text))


def to_data(record: object) -> Any:
    """A record as JSON values."""
    return _written(record, PYTHON)


def from_data(kind: type[T], data: object) -> T:
    """The record of a registered class in JSON values, every field checked.

    Raises:
        UsageError: the data are none.
    """
    return _named(kind, lambda: data)


def read_as(kind: Any, data: object, numbers: Numbers = FINITE) -> Any:
    """The value that JSON values are by a type hint.

    Raises:
        ValueError: they are none; the message names the place.

    Example:
        >>> read_as(tuple[int, ...], [1, 2])
        (1, 2)
        >>> read_as(dict[str, float], {"a": "b"})
        Traceback (most recent call last):
        initium.codec.MisfitError: a: 'b' is no number
    """
    return _read(kind, data, numbers)


class MisfitError(ValueError):
    """A value that cannot stand where it does."""

    def __init__(self, reason: str, place: str = "") -> None:
        self.reason, self.place = reason, place
        super().__init__(reason)

    def __str__(self) -> str:
        return f"{self.place.removeprefix('.')}: {self.reason}" if self.place else self.reason


def _named(kind: type[T], data: Callable[[], Any]) -> T:
    """A record from its data, or an error that says what they were taken for."""
    form = _FORMS[kind]
    try:
        found: T = _read(kind, data(), PYTHON)
    except InitiumError:
        raise
    except FAULTS as error:
        raise UsageError(
            f"the text is no {form.what} ({_reason(error)})",
            expected=f"JSON of format {form.mark}, as {kind.__name__}.to_json() writes it"
            if form.mark
            else f"what {kind.__name__}.to_data wrote",
            remedy=form.remedy,
        ) from error
    return found


def _reason(error: Exception) -> str:
    known = isinstance(error, MisfitError) or type(error) is ValueError
    return str(error) if known else f"{type(error).__name__}: {error}"


def _written(value: Any, numbers: Numbers) -> Any:
    """A value as JSON values."""
    if is_dataclass(value):
        return _written_fields(value, numbers)
    if isinstance(value, Mapping):
        return {str(key): _written(one, numbers) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_written(one, numbers) for one in value]
    return numbers.write(value) if isinstance(value, float) else value


def _written_fields(record: Any, numbers: Numbers) -> dict[str, Any]:
    form = _FORMS.get(type(record), _PLAIN)
    ours = form.numbers or numbers
    data: dict[str, Any] = {"format": form.mark} if form.mark else {}
    data |= {key: _written(tell(record), ours) for key, tell in form.told.items()}
    for name in form.order or [one.name for one in fields(record)]:
        value = getattr(record, name)
        if value or name not in form.brief:
            data[form.keys.get(name, name)] = _written(value, ours)
    return data


def _read(kind: Any, value: Any, numbers: Numbers) -> Any:
    """The value of a type hint that JSON values are."""
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar(value)
    if kind is float:
        return numbers.read(value)
    if isinstance(kind, type) and is_dataclass(kind):
        return _read_record(kind, value, numbers)
    return _read_generic(kind, value, numbers)


def _read_generic(kind: Any, value: Any, numbers: Numbers) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{value!r} is none of {', '.join(map(repr, args))}")
        return value
    if origin in (Union, types.UnionType):
        inner = [one for one in args if one is not types.NoneType]
        assert len(inner) == 1, f"{kind} is read by a reader of its own"
        return None if value is None else _read(inner[0], value, numbers)
    if origin is tuple:
        assert args[1:] == (...,), f"{kind} is read by a reader of its own"
        return tuple(
            _at(f"[{i}]", lambda one: _read(args[0], one, numbers), one)
            for i, one in enumerate(plain_data.items(value))
        )
    assert origin in (dict, Mapping), f"{kind} is read by a reader of its own"
    pairs = plain_data.entries(value).items()
    return {key: _at(f".{key}", lambda one: _read(args[1], one, numbers), one) for key, one in pairs}


def _at(step: str, read: Read, value: Any) -> Any:
    """What is read at one step further in, with that step in the errors."""
    try:
        return read(value)
    except InitiumError:
        raise
    except MisfitError as error:
        error.place = step + error.place
        raise
    except FAULTS as error:
        raise MisfitError(_reason(error), step) from error


def _read_record(kind: type, value: Any, numbers: Numbers) -> Any:
    form = _FORMS.get(kind, _PLAIN)
    data = dict(plain_data.entries(value))
    if form.mark and data.pop("format", None) != form.mark:
        raise ValueError(f"no {form.mark!r} mark")
    for key in form.told:
        data.pop(key, None)
    hints, ours, found = _hints(kind), form.numbers or numbers, dict(form.fixed)
    for one in (one for one in fields(kind) if one.name not in form.fixed):
        key = form.keys.get(one.name, one.name)
        if key in data:
            read = form.readers.get(one.name, lambda value, hint=hints[one.name]: _read(hint, value, ours))
            found[one.name] = _at(f".{key}", read, data.pop(key))
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"no {key!r}")
    plain_data.nothing_left(data)
    form.settle(found)
    return kind(**found)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


_SCALARS: dict[Any, Read] = {
    str: plain_data.text,
    int: plain_data.whole,
    bool: plain_data.truth,
    Any: lambda value: value,
}
