"""What a newcomer meets: sizes of files, functions and folders, twin names, import cycles, comments, tests.

    python -m benchmarks.structure [ROOT ...] [--tests DIR]      a column a package; src/initium by default

ROOT is the folder of a package (src/initium). Its tests are looked for in `tests` beside it and above; a file has a
mirrored test where test_NAME.py stands in the same place (each folder perhaps with the ending _tests), or in the first
folder of the tests. All is read from the syntax, nothing is imported; imports that are hidden in functions count.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True)
class Structure:
    """One column of the table; lines of code are those that are not empty."""

    files: int
    lines: int
    median_file: int
    largest_file: int
    median_function: int
    largest_function: int
    largest_folder: int
    duplicate_stems: int
    import_cycles: int
    files_in_cycles: int
    comment_share: float
    docstring_share: float
    without_test: int

    @staticmethod
    def of(root: Path, tests: Path | None) -> Structure:
        """Read everything below a folder; data and generated caches apart."""
        paths = sorted(path for path in root.rglob("*.py") if "__pycache__" not in path.parts)
        texts = {path: path.read_text(encoding="utf-8") for path in paths}
        trees = {path: ast.parse(text) for path, text in texts.items()}
        sizes = {path: len(text.splitlines()) for path, text in texts.items()}
        filled = {path: size for path, size in sizes.items() if path.name != "__init__.py" or size > 1}
        functions = [size for tree in trees.values() for size in lengths(tree)]
        total = sum(1 for text in texts.values() for line in text.splitlines() if line.strip())
        graph = imports(root, trees)
        circles = [one for one in components(graph) if len(one) > 1]
        stems = Counter(path.stem for path in paths if path.stem not in ("__init__", "__main__"))
        return Structure(
            files=len(paths),
            lines=total,
            median_file=int(statistics.median(filled.values())),
            largest_file=max(sizes.values()),
            median_function=int(statistics.median(functions or [0])),
            largest_function=max(functions, default=0),
            largest_folder=max(Counter(path.parent for path in paths if path.name != "__init__.py").values()),
            duplicate_stems=sum(count > 1 for count in stems.values()),
            import_cycles=len(circles),
            files_in_cycles=sum(map(len, circles)),
            comment_share=sum(map(comments, texts.values())) / total,
            docstring_share=sum(map(docstrings, trees.values())) / total,
            without_test=sum(not has_test(path, root, tests) for path in paths if path.stem[:2] != "__"),
        )


def lengths(tree: ast.Module) -> Iterator[int]:
    """Lines of every function, its docstring left out."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield (node.end_lineno or node.lineno) - node.lineno + 1 - docstring(node)


def docstring(node: Documented) -> int:
    """Lines of a docstring."""
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return (first.end_lineno or first.lineno) - first.lineno + 1
    return 0


def docstrings(tree: ast.Module) -> int:
    """Lines of all docstrings."""
    return sum(docstring(node) for node in ast.walk(tree) if isinstance(node, Documented))


def comments(text: str) -> int:
    """Lines with a comment, directives to tools left out."""
    words = ("noqa", "type:", "fmt:", "pragma", "!", "pylint", "mypy:")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    said = (token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)
    return sum(1 for one in said if one and not one.startswith(words))


def imports(root: Path, trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports, anywhere in it."""
    modules = {name_of(root, path): path for path in trees}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        wanted = (one for node in ast.walk(trees[path]) for one in targets(node, package))
        graph[name] = {found for one in wanted if (found := known(one, modules)) and found != name}
    return graph


def name_of(root: Path, path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def targets(node: ast.AST, package: str) -> Iterator[str]:
    """The dotted names that a statement imports, absolute; `from a import b` may mean a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        module = ".".join([*base, *([node.module] if node.module else [])])
        yield from (f"{module}.{alias.name}" for alias in node.names)


def known(name: str, modules: dict[str, Path]) -> str:
    """The module of a dotted name, or of what it is in; "" if it is not of the package."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def components(graph: dict[str, set[str]]) -> list[list[str]]:
    """The sets of modules that reach one another (Tarjan's, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for start in graph:
        work = [(start, iter(sorted(graph[start])))] if start not in index else []
        while work:
            node, later = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
            step = next(later, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    found.append(stack[cut:])
                    del stack[cut:]
            elif step not in index:
                work.append((step, iter(sorted(graph[step]))))
            elif step in stack:
                low[node] = min(low[node], index[step])
    return found


def has_test(path: Path, root: Path, tests: Path | None) -> bool:
    """Whether a test of the file's name stands in the same place of the tests, or in their first folder."""
    if tests is None:
        return False
    place = path.relative_to(root).parent
    names = (f"test_{path.stem}.py", f"test_{path.stem.lstrip('_')}.py")
    suffixed = tests.joinpath(*(f"{part}_tests" for part in place.parts))
    return any((folder / name).is_file() for folder in (tests / place, suffixed, tests) for name in names)


def tests_of(root: Path) -> Path | None:
    """The folder `tests` nearest to a package."""
    return next((one / "tests" for one in root.resolve().parents if (one / "tests").is_dir()), None)


def shown(value: float) -> str:
    return f"{value:.1%}" if isinstance(value, float) else f"{value:,}"


def table(columns: dict[str, Structure]) -> str:
    """A row a measure, a column a package."""
    heads = ["", *columns]
    rows = [
        [field.name.replace("_", " "), *(shown(getattr(one, field.name)) for one in columns.values())]
        for field in fields(Structure)
    ]
    wide = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(size) if i else cell.ljust(size)
            for i, (cell, size) in enumerate(zip(row, wide, strict=True))
        )
        for row in [heads, *rows]
    )


def smoke() -> None:
    """This package itself: its numbers are those that can be counted by hand, and a made-up circle is found."""
    root = Path(__file__).parents[1] / "src" / "initium"
    found = Structure.of(root, tests_of(root))
    print(table({"initium": found}))
    assert found.files == sum(1 for _ in root.rglob("*.py"))
    assert found.import_cycles == 0
    assert components({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"], ["d"]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(__file__).parents[1] / "src" / "initium"
    parser.add_argument("roots", nargs="*", type=Path, metavar="ROOT", default=[default])
    parser.add_argument("--tests", type=Path, help="the tests of the (only) package")
    parser.add_argument("--smoke", action="store_true", help="this package, and a check of what comes out")
    chosen = parser.parse_args()
    if chosen.smoke:
        smoke()
        return
    print(
        table(
            {root.resolve().name: Structure.of(root, chosen.tests or tests_of(root)) for root in chosen.roots}
        )
    )


if __name__ == "__main__":
    main()
