"""One line of the package, broken: what a test should notice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "initium"
TESTS = ROOT / "tests"
SHARED = ("conftest.py", "nets.py")


class MutantError(Exception):
    """A mutant that cannot be made: the list must follow the code."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A change that must be noticed.

    Args:
        file: of src/initium.
        old: text that stands there exactly once.
        new: what is put in its place.
        tests: files of tests/ to run; the one that mirrors `file` goes first by itself where it exists.
        note: what is broken.
        equivalent: why no test can notice it; "" where one must.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    note: str
    equivalent: str = ""

    @property
    def package(self) -> str:
        """The first folder of the file."""
        return self.file.partition("/")[0]

    @property
    def name(self) -> str:
        """How it is asked for and printed."""
        return f"{self.file}: {self.note}"

    def source(self) -> str:
        """The mutated text of the file.

        Raises:
            MutantError: no such file, or `old` does not stand there exactly once.
        """
        path = SOURCE / self.file
        if not path.is_file():
            raise MutantError(f"{self.name}: no file {self.file}")
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise MutantError(
                f"{self.name}: {self.old!r} stands there {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new)

    def test_files(self) -> tuple[str, ...]:
        """What is run, the mirrored test first.

        Raises:
            MutantError: a file of the list is not there, or there is none at all.
        """
        path = Path(self.file)
        mirror = (path.parent / f"test_{path.name}").as_posix()
        files = dict.fromkeys(([mirror] if (TESTS / mirror).is_file() else []) + list(self.tests))
        gone = [name for name in files if not (TESTS / name).is_file()]
        if gone or not files:
            raise MutantError(f"{self.name}: no test {', '.join(gone) or 'at all'}")
        return tuple(files)

    def digest(self) -> str:
        """Of the mutant, its source and its tests: a result holds as long as this does."""
        found = hashlib.blake2b(digest_size=8)
        for text in (self.file, self.old, self.new):
            found.update(text.encode() + b"\0")
        for path in (SOURCE / self.file, *(TESTS / name for name in (*self.test_files(), *SHARED))):
            found.update(path.read_bytes() + b"\0")
        return found.hexdigest()
