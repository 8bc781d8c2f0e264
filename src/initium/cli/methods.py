"""`initium methods`: what there is."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from initium.errors import UsageError

if TYPE_CHECKING:
    from initium.methods.method import Method


@click.command("methods")
@click.argument("pattern", default="*")
@click.option("--family", default="", metavar="FAMILY", help="Only this family, such as residual.")
@click.option(
    "--for", "activation", default="", metavar="ACTIVATION", help="Only what suits it, such as relu."
)
@click.option(
    "--needs", default="", metavar="NEED", help="Only what needs shape, graph, data, gradient or weights."
)
@click.option("--recipes", is_flag=True, help="List the recipes for whole models instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(pattern: str, family: str, activation: str, needs: str, recipes: bool, as_json: bool) -> None:
    """List the initialization methods, or those that match PATTERN and every filter.

    \b
        initium methods
        initium methods '*orthogonal*'
        initium methods --for relu --needs shape
        initium methods --recipes
    """
    if recipes:
        list_recipes(pattern, family, activation or needs, as_json=as_json)
        return
    import initium
    from initium.report import Document, Section, Table, show

    catalogue = initium.methods(family=family, activation=activation, needs=needs)
    found = [method for method in catalogue if _matches(method, pattern)]
    if not found:
        raise UsageError(
            f"no method matches {_asked(pattern, family, activation, needs)}",
            expected="a pattern on names, other names or families, such as '*orthogonal*'",
            remedy="see `initium methods` for all of them, or drop a filter",
        )
    if as_json:
        click.echo(json.dumps([_plain(method) for method in found], indent=1))
        return
    rows = [(one.name, one.family, one.summary) for one in found]
    title = f"{len(found)} initialization methods" if len(found) > 1 else "1 initialization method"
    table = Table(("name", "family", "what it does"), rows)
    show(Document(title, None, [Section("Methods", table)], footer="more: initium explain NAME"))


def list_recipes(pattern: str, family: str, unusable: str, *, as_json: bool) -> None:
    """Print the recipes that match."""
    import initium
    from initium.report import Document, Section, Table, show

    if unusable:
        raise UsageError("--for or --needs with --recipes", expected="filters of methods", remedy="drop them")
    everything = [one for one in initium.recipes() if family in ("", one.family)]
    found = [one for one in everything if _named(pattern, (one.name, one.family))]
    if not found:
        raise UsageError(
            f"no recipe matches {_asked(pattern, family, '', '')}",
            expected="a pattern on names or families, such as '*vit*'",
            remedy="see `initium methods --recipes` for all of them",
        )
    if as_json:
        rows = [
            {key: getattr(one, key) for key in ("name", "family", "summary", "source", "notes")}
            for one in found
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table(("name", "family", "what it does"), [(one.name, one.family, one.summary) for one in found])
    footer = "more: initium explain recipe:NAME; use: initium plan MODEL --policy recipe:NAME"
    show(Document(f"{len(found)} recipes", None, [Section("Recipes", table)], footer=footer))


def _asked(pattern: str, family: str, activation: str, needs: str) -> str:
    """The pattern and the filters in use, for a message."""
    filters = {"--family": family, "--for": activation, "--needs": needs}
    return " ".join([repr(pattern), *(f"{option} {value}" for option, value in filters.items() if value)])


def _matches(method: Method, pattern: str) -> bool:
    return _named(pattern, (method.name, method.family, *method.aliases))


def _named(pattern: str, names: tuple[str, ...]) -> bool:
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    return any(fnmatch.fnmatch(name, wanted) for name in names)


def _plain(method: Method) -> dict[str, Any]:
    """The record without its function."""
    return {
        "name": method.name,
        "family": method.family,
        "summary": method.summary,
        "aliases": list(method.aliases),
        "needs": method.needs,
        "layers": list(method.layers),
        "activations": list(method.activations),
        "params": [asdict(param) for param in method.params],
        "paper": asdict(method.paper),
    }
