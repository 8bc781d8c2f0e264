"""`initium report`: what a study says so far."""

from __future__ import annotations

from pathlib import Path

import click

from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import output_options


@click.command("report")
@click.argument("store", metavar="STORE", type=click.Path(path_type=Path))
@output_options
def command(store: Path, as_json: bool, html: Path | None) -> None:
    """Show the comparison or search in STORE that was started last, also while it runs.

    \b
        initium report initium-study.db --html out.html
    """
    check_targets(html)

    from initium.study.contest.compare import report
    from initium.study.contest.view import document
    from initium.study.search.search_state import Searching
    from initium.study.search.search_state import document as of_search

    found = report(store)
    page = of_search(found) if isinstance(found, Searching) else document(found)
    show_result(found, page, as_json=as_json, html=html)
