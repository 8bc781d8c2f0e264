"""A document as HTML: a whole page in one file, or a fragment for a notebook."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from initium.report.charts.svg import Svg, variables
from initium.report.document import Document, Mark, Table
from initium.report.files import write_atomically
from initium.report.format import cell, clean


def page(document: Document) -> str:
    """`document` as one HTML file: no script, nothing to load, for light and dark screens and for paper."""
    return _environment().get_template("page.html").render(document=document)


def fragment(document: Document) -> str:
    """`document` as a `div` with its own style, for `_repr_html_`."""
    return _environment().get_template("fragment.html").render(document=document)


def write_html(path: str | os.PathLike[str], document: Document) -> Path:
    """Writes `page(document)` to `path`, whole or not at all."""
    return write_atomically(path, page(document))


@functools.cache
def _environment() -> Environment:
    """Everything is escaped, and a name that a template lacks is an error, not an empty string."""
    environment = Environment(
        loader=PackageLoader("initium.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters.update(cell=cell, kind=_kind, svg=_svg, paragraphs=_paragraphs)
    environment.globals.update(light=variables(dark=False), dark=variables(dark=True), numeric=_numeric)
    environment.tests["mark"] = lambda value: isinstance(value, Mark)
    return environment


def _finalize(value: object) -> object:
    return clean(value) if type(value) is str else value


def _kind(block: object) -> str:
    return type(block).__name__.lower()


def _svg(value: object) -> Markup:
    assert isinstance(value, Svg), "only charts of this package are put into a page as they are"
    return Markup(value)  # noqa: S704 - Svg is escaped when it is made


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _numeric(table: Table) -> list[bool]:
    return [table.numeric(i) for i in range(len(table.columns))]
