"""The house keeps its shape: small rooms, one name a file, no circles, a test for every file. Reads source alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "initium"
LARGEST_FOLDER = 20
LONGEST_FILE = 400
SHARED_STEMS = {"__init__", "__main__", "view"}
"""Names that a file of every package may have."""


def sources(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module by its full name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """Module, name in it ("" for the module itself) and the name that it gets here: in functions and for types too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((one.name, "", one.asname or one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((str(node.module), one.name, one.asname or one.name) for one in node.names)


def import_graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Module -> the modules that it imports; a name that a package re-exports counts for the module that defines it."""
    files = sources(package)
    trees = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in files.items()}
    passed_on = {
        module: {here: (source, name) for source, name, here in imports(trees[module]) if name}
        for module, path in files.items()
        if path.name == "__init__.py"
    }

    def home(module: str, name: str) -> str:
        while name and name in passed_on.get(module, {}) and passed_on[module][name] != (module, name):
            module, name = passed_on[module][name]
        return f"{module}.{name}" if f"{module}.{name}" in files else module

    return {
        module: {home(source, name) for source, name, _ in imports(tree)} & files.keys() - {module}
        for module, tree in trees.items()
    }


def circles(graph: Mapping[str, Set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports every other by some way."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        stack = [start]
        while stack:
            for one in graph[stack.pop()] - seen:
                seen.add(one)
                stack.append(one)
        return seen

    beyond = {module: reached(module) for module in graph}
    inside = [module for module in graph if module in beyond[module]]
    groups = {tuple(sorted(one for one in inside if one in beyond[a] and a in beyond[one])) for a in inside}
    return [list(group) for group in sorted(groups)]


def mirror(path: Path) -> Path:
    """Where the test of a source file stands."""
    return TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")


def named(paths: Iterator[Path] | list[Path]) -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in paths)


def test_no_folder_is_crowded() -> None:
    sizes = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert named([folder for folder, size in sizes.items() if size > LARGEST_FOLDER]) == []
    assert max(sizes.values()) > 1, "nothing was counted"


def test_no_two_files_bear_one_name() -> None:
    """The verbs of the command line are named as the packages and functions that they call."""
    stems = Counter(
        path.stem
        for path in PACKAGE.rglob("*.py")
        if path.stem not in SHARED_STEMS and path.parent != PACKAGE / "cli"
    )
    assert [stem for stem, number in stems.items() if number > 1] == []


def test_no_file_is_long() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert named([path for path, number in lines.items() if number > LONGEST_FILE]) == []


def test_no_import_comes_back() -> None:
    assert circles(import_graph()) == []


def test_every_file_has_its_test() -> None:
    missing = [path for path in sources().values() if path.stem[:2] != "__" and not mirror(path).exists()]
    assert named(missing) == []


@pytest.mark.parametrize(
    "line",
    [
        "from house.b import thing",
        "from house.b.deep import thing",
        "import house.b.deep",
        "def late():\n    from house.b import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.b import thing",
    ],
)
def test_a_circle_is_found_however_it_is_hidden(tmp_path: Path, line: str) -> None:
    house = tmp_path / "house"
    (house / "b").mkdir(parents=True)
    (house / "__init__.py").write_text("")
    (house / "b" / "__init__.py").write_text("from house.b.deep import thing as thing\n")
    (house / "b" / "deep.py").write_text("from house import a\nthing = a\n")
    (house / "b" / "other.py").write_text("import house.a\n")
    (house / "a.py").write_text(f"{line}\n")
    assert circles(import_graph(house)) == [["house.a", "house.b.deep"]]
    (house / "a.py").write_text("import math\n")
    assert circles(import_graph(house)) == []
