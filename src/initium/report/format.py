"""How numbers and foreign names are written, in text and in pages alike."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

# Escape sequences drive a terminal, and direction marks reorder a line: a name in a file from
# elsewhere must do neither.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def clean(text: str) -> str:
    r"""`text` with control and direction characters shown as codes, so that it is inert wherever printed.

    >>> clean("\x1b[31mred")
    '\\x1b[31mred'
    """
    return _UNSAFE.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    point = ord(found.group())
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


def number(value: float, digits: int = 3) -> str:
    """`value` in `digits` significant digits, in powers of ten outside of 0.001 to 99,999.

    >>> number(0.12345), number(1234), number(1.5e-7), number(float("nan"))
    ('0.123', '1,234', '1.5e-07', 'nan')
    """
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < 1e5):
        return f"{int(value):,}"
    if not math.isfinite(value):
        return str(value)
    if not 1e-3 <= abs(value) < 1e5:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return _short(mantissa, f"e{exponent}", value)
    rounded = float(f"{value:.{digits - 1}e}")  # 0.9999 has the places of 1.00
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return _short(f"{value:,.{places}f}", "", value)


def _short(text: str, exponent: str, value: float) -> str:
    """`text` without its last zeros if it says the whole value: 0.5, but 2.30 for 2.303."""
    short = text.rstrip("0").rstrip(".") if "." in text else text
    exact = math.isclose(float(short.replace(",", "") + exponent), value, rel_tol=1e-12)
    return (short if exact else text) + exponent


def percent(share: float) -> str:
    """A share between 0 and 1 in per cent; never "100 %" or "0 %" unless it is exactly that.

    >>> percent(0.5), percent(0.9999), percent(0.0001), percent(1.0)
    ('50 %', '> 99 %', '< 1 %', '100 %')
    """
    if not math.isfinite(share):
        return str(share)
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few of many names, and how many more there are.

    >>> some(["a", "b"]), some(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def duration(seconds: float) -> str:
    """A time span for people.

    >>> duration(0.0123), duration(3.21), duration(75), duration(7300)
    ('12 ms', '3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def cell(value: object) -> str:
    """Any value as it stands in a table: numbers by `number`, None as nothing, the rest cleaned."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    return clean(str(value))
