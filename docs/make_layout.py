"""Writes the rooms of layout.md from their docstrings and the contracts of their imports: `python docs/make_layout.py`.

What stands outside the two marks of the page is written by hand, and kept.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "layout.md"
PACKAGE = ROOT / "src" / "initium"
BEGIN, END = "<!-- rooms: made by docs/make_layout.py -->", "<!-- end of the rooms -->"
NAMES = re.compile(r"[\w.]+")
WIDTH = 20


def page(text: str) -> str:
    """The page with its rooms as they are now."""
    before, _, rest = text.partition(f"{BEGIN}\n")
    _, _, after = rest.partition(f"{END}\n")
    return f"{before}{BEGIN}\n\n{rooms(contracts())}\n{END}\n{after}"


def contracts() -> list[dict[str, Any]]:
    """What import-linter holds."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def rooms(held: list[dict[str, Any]]) -> str:
    """The tree, bottom first, and what may import what."""
    house = next(one for one in held if one["type"] == "layers" and "containers" not in one)
    layers = [[short(name) for name in NAMES.findall(layer)] for layer in house["layers"]]
    tree = [line for layer in reversed(layers) for name in layer for line in room(PACKAGE / name, 0)]
    rules = [line for contract in held for line in told(contract)]
    return "\n".join(
        [
            "    src/initium/", *(f"      {line}" for line in tree), "",
            "Imports run one way. `lint-imports` holds each of these, imports for type checking counted:", "", *rules,
        ]
    ) + "\n"  # fmt: skip


def room(place: Path, depth: int) -> Iterator[str]:
    """A package with the rooms in it, or a module: its name, and the first line of its docstring."""
    package = place.is_dir()
    file = place / "__init__.py" if package else place.with_suffix(".py")
    about = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
    name = "  " * depth + (f"{place.name}/" if package else file.name)
    yield f"{name:<{WIDTH}} {about}"
    for inner in sorted(place.iterdir()) if package else ():
        if (inner / "__init__.py").is_file():
            yield from room(inner, depth + 1)


def told(contract: dict[str, Any]) -> Iterator[str]:
    """One contract as an item of a list."""
    name = contract["name"]
    if contract["type"] == "forbidden":
        sources, targets = (
            ", ".join(f"`{short(one)}`" for one in contract[key])
            for key in ("source_modules", "forbidden_modules")
        )
        yield f"* {name}: {sources} do not import {targets}."
    elif contract["type"] == "layers":
        yield f"* {name}: {' > '.join(map(layer_of, contract['layers']))}."
    else:
        yield f"* {name}, to {contract['depth']} levels of rooms."


def layer_of(text: str) -> str:
    """The modules of one layer."""
    return " ".join(
        f"`{short(one)}`" if NAMES.fullmatch(one) else one for one in re.findall(r"[\w.]+|[|:]", text)
    )


def short(name: str) -> str:
    """A module's name without the package's."""
    return name.removeprefix("initium.")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
