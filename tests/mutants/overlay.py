"""The package with one file replaced, as a folder to import from: the working tree stays as it is."""

from __future__ import annotations

from pathlib import Path


def overlaid(folder: Path, source: Path, file: str, text: str) -> Path:
    """A copy of the package `source` by links, in `folder`, where `file` holds `text`; to be put on the path."""
    here, there = folder / source.name, source
    for part in (*Path(file).parts[:-1], ""):
        here.mkdir(parents=True)
        for entry in there.iterdir():
            if entry.name not in (part, Path(file).name if not part else "", "__pycache__"):
                (here / entry.name).symlink_to(entry)
        _link_compiled(here, there, Path(file).stem if not part else "")
        here, there = here / part, there / part
    (folder / source.name / file).write_text(text, encoding="utf-8")
    return folder


def _link_compiled(here: Path, there: Path, but: str) -> None:
    """What is compiled already is not compiled again; of the replaced file nothing may be left."""
    if (there / "__pycache__").is_dir():
        (here / "__pycache__").mkdir()
        for entry in (there / "__pycache__").iterdir():
            if entry.name.partition(".")[0] != but:
                (here / "__pycache__" / entry.name).symlink_to(entry)
