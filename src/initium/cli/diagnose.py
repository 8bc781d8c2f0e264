"""`initium diagnose`: is this start sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from initium.cli.options import MODEL_HELP, input_options, model_options, output_options
from initium.cli.spec import InputSpec, keywords

LEVELS = {"error": {"error"}, "warning": {"error", "warning"}}


@click.command("diagnose", epilog=MODEL_HELP)
@model_options
@input_options
@output_options
@click.option(
    "--fail-on",
    type=click.Choice(list(LEVELS)),
    help="Exit with 1 if there is a finding this bad; without it, 0 whatever is found.",
)
def command(
    model: str,
    args: tuple[str, ...],
    seed: int,
    inputs: tuple[InputSpec, ...],
    images: Path | None,
    batch: int,
    evaluate: bool,
    as_json: bool,
    html: Path | None,
    fail_on: str | None,
) -> None:
    """Say whether MODEL's starting weights are sound, and what to do if not.

    \b
        initium diagnose timm:vit_tiny_patch16_224
        initium diagnose net.py:make_net --arg depth=20 --input 1x28x28 --html report.html
        initium diagnose torchvision:alexnet --images photos/ --fail-on error
    """
    arguments = keywords(args)

    import initium
    from initium.cli.subject import subject

    built, fed = subject(model, arguments, inputs, images, batch=batch, seed=seed, evaluate=evaluate)
    report = initium.diagnose(built, fed, seed=seed)
    show_result(report, as_json=as_json, html=html)
    if fail_on and LEVELS[fail_on] & {finding.severity for finding in report.findings}:
        raise click.exceptions.Exit(1)


def show_result(result: Any, *, as_json: bool, html: Path | None) -> None:
    """Prints anything that knows how to print itself, and writes its page if one is wanted."""
    if html is not None:
        result.to_html(html)
    click.echo(result.to_json() if as_json else str(result))
    if html is not None and not as_json:
        click.echo(f"\nwritten: {html}")
