"""A name in capitals means one thing: no two modules give it two values."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import initium

SOURCES = Path(initium.__file__).parent


def assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.Assign):
            pairs = [pair for target in node.targets for pair in unpacked(target, node.value)]
        else:
            continue
        yield from ((target.id, value) for target, value in pairs if isinstance(target, ast.Name))


def unpacked(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=True))
    return [(target, value)]


def literal(value: ast.expr) -> object:
    """The value of an expression of numbers and texts alone; None for any other."""
    if (
        isinstance(value, ast.Call)
        and ast.unparse(value.func) in ("frozenset", "set")
        and len(value.args) == 1
    ):
        value = value.args[0]
    if any(isinstance(one, (ast.Name, ast.Call, ast.Attribute, ast.Lambda)) for one in ast.walk(value)):
        return None
    return eval(compile(ast.Expression(value), "", "eval"), {})


def values_of(sources: dict[str, str]) -> dict[str, dict[str, object]]:
    """Name in capitals, a first underscore aside -> module -> the literal that it holds there."""
    found: dict[str, dict[str, object]] = defaultdict(dict)
    for module, text in sources.items():
        for name, value in assigned(ast.parse(text)):
            if name.isupper() and (known := literal(value)) is not None:
                found[name.lstrip("_")][module] = known
    return found


def comparable(value: object) -> str:
    return repr(sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value)


def ambiguous(values: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {name: kept for name, kept in values.items() if len(set(map(comparable, kept.values()))) > 1}


@cache
def of_the_package() -> dict[str, dict[str, object]]:
    return values_of(
        {str(path.relative_to(SOURCES)): path.read_text() for path in sorted(SOURCES.rglob("*.py"))}
    )


def test_two_values_of_one_name_are_found() -> None:
    texts = {"a": "LIMIT = 1\nSPAN, EDGE = 2.0, 2**3", "b": "_LIMIT = 2\nEDGE: int = 8", "c": "SPAN = f(2)"}
    assert ambiguous(values_of(texts)) == {"LIMIT": {"a": 1, "b": 2}}


def test_no_two_modules_give_one_name_two_values() -> None:
    assert len(of_the_package()) > 200
    assert not ambiguous(of_the_package())
