"""`initium plan`: what should every parameter start as?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from initium.cli.arguments import InputSpec, keywords
from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import MODEL_HELP, aside, input_options, model_options, output_options
from initium.errors import UsageError

if TYPE_CHECKING:
    from initium.plan import Rule


@click.command("plan", epilog=MODEL_HELP)
@model_options
@input_options
@click.option(
    "--policy",
    default="auto",
    show_default=True,
    help="auto, shipped (change nothing), a method for every weight, such as he_normal, or recipe:NAME.",
)
@click.option(
    "--rule",
    "rules",
    metavar="WHERE=METHOD[:KEY=VALUE,...]",
    multiple=True,
    help="For parameters whose name matches the pattern WHERE, or which have that role; repeatable, the first that "
    "matches wins. METHOD may be keep. Example: --rule 'head.*=normal:std=0.01'",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan as JSON to this file.",
)
@output_options
def command(
    model: str,
    args: tuple[str, ...],
    seed: int,
    inputs: tuple[InputSpec, ...],
    images: Path | None,
    noise: str | None,
    batch: int,
    evaluate: bool,
    policy: str,
    rules: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    html: Path | None,
) -> None:
    """Decide what every parameter of MODEL should start as, and why. No weight is written.

    \b
        initium plan timm:resnet18 -o plan.json
        initium plan net.py:make_net --input 1x28x28 --rule 'head.bias=constant:value=-4.6'
    """
    arguments = keywords(args)
    check_targets(output, html)

    from initium.cli.subject import subject
    from initium.plan import plan as decide
    from initium.report import write_atomically

    chosen = [read_rule(text) for text in rules]
    with aside():
        built, fed = subject(
            model, arguments, inputs, images, noise=noise, batch=batch, seed=seed, evaluate=evaluate
        )
        made = decide(built, fed, policy=policy, rules=chosen, seed=seed)
    if output is not None:
        write_atomically(output, made.to_json() + "\n")
    show_result(made, as_json=as_json, html=html)
    if output is not None and not as_json:
        click.echo(f"\nwritten: {output}; next: initium apply {model} --plan {output} -o weights.safetensors")


def read_rule(text: str) -> Rule:
    """Reads `head.*=normal:std=0.01,mean=0`."""
    from initium.plan import Rule

    where, equals, rest = text.partition("=")
    method, _, values = rest.partition(":")
    if not (where and equals and method):
        raise UsageError(
            f"{text!r} is no rule",
            expected="WHERE=METHOD or WHERE=METHOD:KEY=VALUE,...",
            remedy="write for example --rule 'head.*=normal:std=0.01'",
        )
    given = keywords(tuple(part for part in values.split(",") if part))
    reserved = sorted({"where", "method"} & set(given))
    if reserved:
        raise UsageError(
            f"{text!r} gives {reserved[0]} twice", expected="parameters of the method", remedy="leave it out"
        )
    return Rule(where=where, method=method, **given)
