"""`initium recommend`: what should this model start from, by theory, diagnosis and recorded runs?"""

from __future__ import annotations

from pathlib import Path

import click

from initium.cli.arguments import InputSpec, keywords
from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import MODEL_HELP, aside, input_options, model_options, output_options


@click.command("recommend", epilog=MODEL_HELP)
@model_options
@input_options
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
    as_json: bool,
    html: Path | None,
) -> None:
    """Say what MODEL should start from: by theory, by its diagnosis, and by recorded runs of nets that are like it.

    \b
        initium recommend timm:resnet18
        initium recommend net.py:make_net --input 1x28x28
    """
    arguments = keywords(args)
    check_targets(html)

    from initium.cli.subject import subject
    from initium.study.advice.recommend import recommend

    with aside():
        built, fed = subject(
            model, arguments, inputs, images, noise=noise, batch=batch, seed=seed, evaluate=evaluate
        )
        found = recommend(built, fed, seed=seed)
    show_result(found, as_json=as_json, html=html)
