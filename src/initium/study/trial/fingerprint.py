"""What a trial depends on besides its spec: the versions, and the code that its references name and import."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path

from initium.engines import function_of
from initium.engines.processes.libraries import INSTALLED
from initium.engines.reference import module_of

COVERED = {"initium", "torch", *sys.stdlib_module_names}
"""Packages that are not looked into: the versions of the first two are part of every fingerprint."""


def fingerprint(references: Iterable[str]) -> str:
    """Digest of versions, and of the source files that the named functions are in or import.

    A store keeps the results of old code; trials of changed code have other keys and run again. Of installed packages
    the version counts, of your own files the content, with all that they import, also inside functions. Files that
    code reads when it runs are not looked at.

    Example:
        >>> fingerprint([]) == fingerprint([]) != fingerprint(["json:dumps"])
        True
    """
    parts = [version("initium"), version("torch")]
    for one in sorted(set(references)):
        parts += [one, *sorted(_parts_of(_files_of(one), _places(one)))]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def _files_of(reference: str) -> set[Path]:
    """The file that a reference names, and the one that its function is defined in."""
    function = function_of(reference)
    named = getattr(module_of(reference), "__file__", None)
    try:
        defined = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # compiled code
        defined = None
    return {Path(one) for one in (named, defined) if one is not None and Path(one).is_file()}


def _places(reference: str) -> list[str]:
    """Where Python looks for what the code of a reference imports."""
    where = reference.rpartition(":")[0]
    return [*([str(Path(where).absolute().parent)] if where.endswith(".py") else []), *sys.path]


def _parts_of(files: Iterable[Path], places: list[str]) -> set[str]:
    """A digest of each file of the user's own that these reach by imports, and the version of each package."""
    todo, seen, packages, found = list(files), set[Path](), set[str](), set[str]()
    while todo:
        file = todo.pop()
        if file in seen:
            continue
        seen.add(file)
        package = _package_of(file)
        if package:
            packages.add(package)
            continue
        content = file.read_bytes()
        found.add(f"{file.name} {hashlib.blake2b(content, digest_size=8).hexdigest()}")
        if file.suffix == ".py":
            todo += _imported(file, content, places)
    return found | set(_versions(packages))


def _package_of(file: Path) -> str:
    """The installed package that a file belongs to; "" for one of the user's own."""
    for i, part in enumerate(file.parts[:-1]):
        if part in INSTALLED:
            return file.parts[i + 1].partition(".")[0]
    return ""


def _versions(packages: set[str]) -> Iterator[str]:
    homes = packages_distributions() if packages else {}
    for package in packages:
        yield from (f"{name} {version(name)}" for name in homes.get(package, ()))


def _imported(file: Path, content: bytes, places: list[str]) -> Iterator[Path]:
    """The files that the import statements of a file name, wherever they stand in it."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # an optional import of code for another version of Python, say
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _found(alias.name.split("."), places)
        elif isinstance(node, ast.ImportFrom):
            base = [part for part in (node.module or "").split(".") if part]
            within = [str(file.parents[node.level - 1])] if 0 < node.level <= len(file.parents) else places
            for alias in node.names:
                yield from _found([*base, alias.name], within)


def _found(parts: list[str], places: list[str]) -> Iterator[Path]:
    """The files of a package and of the modules in it that a dotted name leads through; nothing is imported."""
    if places and parts[0] in COVERED and not (Path(places[0]) / f"{parts[0]}.py").is_file():
        return
    for part in parts:
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return
        if spec.origin is not None and Path(spec.origin).is_file():
            yield Path(spec.origin)
        places = list(spec.submodule_search_locations or ())
        if not places:
            return
