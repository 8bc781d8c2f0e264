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

    from initium.study.report_store import report

    show_result(report(store), as_json=as_json, html=html)
