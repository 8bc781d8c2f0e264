"""What a trial depends on besides its spec: the versions, and the code that its references name."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from initium.engines import function_of


def fingerprint(references: Iterable[str]) -> str:
    """Digest of the versions of initium and torch, and of the source files of the named functions.

    A store keeps the results of old code; trials of changed code have other keys and run again. Files that the named
    ones import are not looked at.

    Example:
        >>> fingerprint([]) == fingerprint([]) != fingerprint(["json:dumps"])
        True
    """
    parts = [version("initium"), version("torch")]
    parts += [f"{one} {_source(one)}" for one in sorted(set(references))]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _source(reference: str) -> str:
    """Digest of the file that defines a function; "" for one without a file, such as compiled code."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(function_of(reference)))
    except TypeError:
        return ""
    if path is None or not Path(path).is_file():
        return ""
    return hashlib.blake2b(Path(path).read_bytes(), digest_size=8).hexdigest()
