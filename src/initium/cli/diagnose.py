"""`initium diagnose`: is this start sound?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from initium.cli.arguments import InputSpec, keywords
from initium.cli.options import MODEL_HELP, aside, input_options, model_options, output_options

if TYPE_CHECKING:
    pass

FAILING = {"error": {"error"}, "warning": {"error", "warning"}}


@click.command("diagnose", epilog=MODEL_HELP)
@model_options
@input_options
@output_options
@click.option(
    "--fail-on",
    type=click.Choice(list(FAILING)),
    help="Exit with 1 if there is a finding this bad; without it, 0 whatever is found.",
)
def command(
    model: str,
    args: tuple[str, ...],
    seed: int,
    inputs: tuple[InputSpec, ...],
    images: Path | None,
    noise: str | None,
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
    check_targets(html)

    import initium
    from initium.cli.subject import subject

    with aside():
        built, fed = subject(
            model, arguments, inputs, images, noise=noise, batch=batch, seed=seed, evaluate=evaluate
        )
        report = initium.diagnose(built, fed, seed=seed)
    show_result(report, as_json=as_json, html=html)
    if fail_on and FAILING[fail_on] & {finding.severity for finding in report.findings}:
        raise click.exceptions.Exit(1)


def check_targets(*paths: Path | None) -> None:
    """Refuses files that cannot be written, before the work and not after it."""
    from initium.report.files import check_target

    for path in paths:
        if path is not None:
            check_target(path)


def show_result(result: Any, *, as_json: bool, html: Path | None) -> None:
    """Prints a result, as JSON or as its document, and writes its page if one is wanted."""
    from initium.report import document_of, show, write_html

    document = document_of(result)
    if html is not None:
        write_html(html, document)
    if as_json:
        click.echo(result.to_json())
        return
    show(document)
    if html is not None:
        click.echo(f"\nwritten: {html}")
