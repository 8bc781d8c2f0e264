"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from initium.errors import OutputError, UsageError


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Writes `content` to `path` by way of a file beside it: a reader sees the old file or the new one.

    Args:
        path: where to write; the directory must exist.
        content: text is written as UTF-8.

    Returns:
        `path` as a `Path`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file to fill, which takes the place of `path` when the block ends without an error.

    Raises:
        UsageError: no file can be at `path`.
        OutputError: it could not be written, in the block or after it.
    """
    target = check_target(path)
    temporary = target
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{str(target)!r} cannot be written ({getattr(error, 'strerror', None) or error})",
            expected="room on a disk that can be written to",
            remedy="free some space, or name another file; what it held before, it still holds",
        ) from error
    finally:
        if temporary != target:
            temporary.unlink(missing_ok=True)


def check_target(path: str | os.PathLike[str]) -> Path:
    """`path`, if a file can be written there; to be asked before long work, not after it."""
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise UsageError(
            f"cannot write to {str(target)!r}",
            expected="a file name in a directory that exists and can be written to",
            remedy=f"create {str(target.parent)!r}, or name another file",
        )
    return target


def _mode(target: Path) -> int:
    """Permissions for the new file: those of the file it replaces, else what the umask leaves."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
