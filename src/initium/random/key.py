"""Where every stream of random numbers starts: a key made from a seed and a name."""

from __future__ import annotations

import hashlib
import operator
import struct
from typing import NamedTuple

from initium.errors import UsageTypeError


class Key(NamedTuple):
    """Four 32-bit words: the key of one Threefry-4x32-20 stream."""

    k0: int
    k1: int
    k2: int
    k3: int

    def child(self, tag: str) -> Key:
        """An independent key, a stable function of this one and `tag`."""
        return _digest(b"child", struct.pack("<4I", *self), _text(tag))


def key_for(seed: int, name: str) -> Key:
    """The key of parameter `name` under `seed`.

    Args:
        seed: any integer, of any size and sign; numpy integers too.
        name: full name of the parameter.

    Raises:
        UsageTypeError: if `seed` is not an integer or `name` is not a string.
    """
    return _digest(b"seed", str(_whole(seed)).encode(), _text(name))


def _digest(*parts: bytes) -> Key:
    # Lengths go in front of the parts, so that no two lists of parts run into the same bytes.
    message = b"".join(struct.pack("<Q", len(part)) + part for part in parts)
    digest = hashlib.blake2b(message, digest_size=16, person=b"initium").digest()
    return Key(*struct.unpack("<4I", digest))


def _whole(seed: object) -> int:
    if not isinstance(seed, bool):
        try:
            return operator.index(seed)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise UsageTypeError(
        f"seed is {seed!r}, a {type(seed).__name__}",
        expected="an integer (of any size or sign)",
        remedy="pass seed=0, or int(...) of the value you have",
    )


def _text(name: object) -> bytes:
    if isinstance(name, str):
        return name.encode("utf-8", "surrogatepass")
    raise UsageTypeError(
        f"name is {name!r}, a {type(name).__name__}",
        expected="a string, the name of the parameter",
        remedy="pass the name that model.named_parameters() gives",
    )
