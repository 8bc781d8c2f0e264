"""`initium tune`: is there a better start for this model and this task?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from initium.cli.arguments import keywords
from initium.cli.compare import read_rates
from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import aside, output_options
from initium.cli.study import (
    STUDY_MODEL_HELP,
    asked,
    kept_on_interrupt,
    limited,
    study_options,
)
from initium.errors import UsageError


@click.command("tune", epilog=STUDY_MODEL_HELP)
@study_options
@click.option(
    "--budget", type=click.IntRange(1), default=160, show_default=True,
    help="What may be spent, in trials of full length, the comparison at the end included.",
)  # fmt: skip
@click.option(
    "--confirm", type=click.IntRange(2), default=8, show_default=True, help="Fresh seeds of that comparison."
)
@click.option("--lr", "lrs", metavar="A,B,...", help="Learning rates that are tried.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the search.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan as JSON to this file.",
)
@output_options
def command(
    target: str,
    model: str,
    args: tuple[str, ...],
    task: str,
    data: tuple[str, ...],
    lrs: str | None,
    store: Path,
    resume: bool,
    output: Path | None,
    as_json: bool,
    html: Path | None,
    **options: Any,
) -> None:
    """Search for a start of MODEL that beats "auto" and "shipped" on seeds that the search never saw.

    Every result is kept in the store, so a search that was ended goes on where it was; beside it, STORE.optuna.db
    has the search for Optuna's dashboard.

    \b
        initium tune mlp8-sigmoid -o plan.json
        initium tune net.py:make --task photos/ --budget 400 --html tuned.html
    """
    arguments = keywords(args)
    rates = None if lrs is None else read_rates(lrs)
    check_targets(html, output)
    if not resume:
        raise UsageError(
            "--fresh with tune",
            expected="a search that goes on where it was",
            remedy="name another --store to begin anew",
        )

    from initium.report import write_atomically
    from initium.study.search.tune import tune

    named, arguments, opened = asked(target, model, arguments, task, data)
    with aside(), kept_on_interrupt(store):
        found: Any = tune(named, opened, lrs=rates, model_args=arguments, store=store, **limited(**options))
    if options["dry_run"]:
        click.echo(str(found))
        return
    if output is not None:
        write_atomically(output, found.plan.to_json() + "\n")
    show_result(found, as_json=as_json, html=html)
    if output is not None and not as_json:
        click.echo(f"\nwritten: {output}")
