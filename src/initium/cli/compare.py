"""`initium compare`: which init is best for this model and this task?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from initium.cli.arguments import keywords
from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import aside, output_options
from initium.cli.study import (
    STUDY_MODEL_HELP,
    asked,
    kept_on_interrupt,
    limited,
    read_init,
    study_options,
)
from initium.errors import UsageError


@click.command("compare", epilog=STUDY_MODEL_HELP)
@study_options
@click.option(
    "--init",
    "inits",
    metavar="A,B,...",
    help="Names of policies and methods, plan.json files, functions (file.py:start). Eight usual ones without it.",
)
@click.option(
    "--seeds", type=click.IntRange(2), default=5, show_default=True, help="Seeds of screening and race."
)
@click.option(
    "--confirm", type=click.IntRange(2), default=8, show_default=True, help="Fresh seeds for the finalists."
)
@click.option("--lr", "lrs", metavar="A,B,...", help="Learning rates that every init is tried at.")
@output_options
def command(
    target: str,
    model: str,
    args: tuple[str, ...],
    task: str,
    data: tuple[str, ...],
    inits: str | None,
    seeds: int,
    confirm: int,
    lrs: str | None,
    store: Path,
    resume: bool,
    as_json: bool,
    html: Path | None,
    **options: Any,
) -> None:
    """Train MODEL from several inits, each at its own best learning rate, and say which is best.

    Every result is kept in the store: a comparison that was ended in whatever way goes on where it was.

    \b
        initium compare --task classification --model cnn20-relu
        initium compare net.py:make --task photos/ --init auto,he_normal,shipped --html out.html
        initium compare unet --task segmentation --dry-run
    """
    arguments = keywords(args)
    rates = None if lrs is None else read_rates(lrs)
    check_targets(html)

    from initium.study.contest.compare import compare
    from initium.study.contest.request import INITS

    named, arguments, opened = asked(target, model, arguments, task, data)
    with aside():
        chosen = INITS if inits is None else [read_init(text.strip()) for text in inits.split(",")]
    with aside(), kept_on_interrupt(store):
        found: Any = compare(
            named, opened, inits=chosen, seeds=seeds, confirm=confirm, lrs=rates, model_args=arguments,
            store=store, fresh=not resume, **limited(**options),
        )  # fmt: skip
    if options["dry_run"]:
        click.echo(str(found))
        return
    show_result(found, as_json=as_json, html=html)


def read_rates(text: str) -> list[float]:
    """Reads `3e-4,1e-3`."""
    return [_rate(part) for part in text.split(",")]


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(
            f"the learning rate {text!r}",
            expected="numbers with commas between",
            remedy="write --lr 3e-4,1e-3,3e-3",
        ) from error
