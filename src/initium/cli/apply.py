"""`initium apply`: the weights of a plan, in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from initium.cli.arguments import keywords
from initium.cli.diagnose import check_targets, show_result
from initium.cli.options import MODEL_HELP, aside, model_options, output_options
from initium.errors import UsageError


@click.command("apply", epilog=MODEL_HELP)
@model_options
@click.option(
    "--plan",
    "plan_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A plan as `initium plan -o` writes it.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The weights, as safetensors; load them with safetensors.torch.load_model(model, FILE).",
)
@output_options
def command(
    model: str,
    args: tuple[str, ...],
    seed: int,
    plan_file: Path,
    output: Path,
    as_json: bool,
    html: Path | None,
) -> None:
    """Build MODEL, write the weights of a plan into it, and save them.

    The same plan and seed give the same weights on every machine. Parameters that the plan keeps are those of
    MODEL's own factory under the same seed.

    \b
        initium apply timm:resnet18 --plan plan.json --seed 0 -o weights.safetensors
    """
    arguments = keywords(args)
    check_targets(output, html)

    from initium.cli.model import build
    from initium.plan import Plan

    text = _read(plan_file)
    plan = Plan.from_json(text)
    with aside():
        built = build(model, arguments, seed=seed)
        receipt = plan.apply(built, seed=seed)
    _save(built, output, {"seed": str(seed), "plan_sha256": hashlib.sha256(text.encode()).hexdigest()})
    show_result(receipt, as_json=as_json, html=html)
    if not as_json:
        click.echo(f"\nwritten: {output}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"{str(path)!r} cannot be read ({error})",
            expected="a plan as text",
            remedy="write it again with `initium plan -o`",
        ) from error


def _save(model: object, path: Path, facts: dict[str, str]) -> None:
    """The model's state in `path`, whole or not at all; tied tensors are stored once."""
    from importlib.metadata import version

    from safetensors.torch import save_model
    from torch import nn

    from initium.report import replacing

    assert isinstance(model, nn.Module)
    metadata = {"format": "pt", "initium": version("initium"), **facts}
    with replacing(path) as temporary:
        save_model(model, str(temporary), metadata=metadata)
