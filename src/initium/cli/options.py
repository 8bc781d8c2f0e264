"""Options that several verbs share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

import click

from initium.cli.arguments import InputType

Verb = TypeVar("Verb", bound=Callable[..., Any])

MODEL_HELP = """\b
MODEL is one of
    timm:NAME                 a model of the package timm, random weights
    torchvision:NAME          a model of the package torchvision, random weights
    file.py:factory           a function or class in a Python file
    package.module:factory    the same in a module
    cnn20-relu, vit6, ...     a standard model of studies, for the embedded pictures

A file or module named here is imported and its factory called: name only code that you trust.
"""


def aside() -> AbstractContextManager[object]:
    """What others' code prints in this block goes to standard error: standard output is for results."""
    return redirect_stdout(sys.stderr)


def model_options(verb: Verb) -> Verb:
    """MODEL, --arg, --seed."""
    verb = click.option("--seed", type=int, default=0, show_default=True, help="Of every random number.")(
        verb
    )
    verb = click.option(
        "--arg",
        "args",
        metavar="KEY=VALUE",
        multiple=True,
        help="Keyword argument of the factory; repeatable.",
    )(verb)
    return click.argument("model")(verb)


def input_options(verb: Verb) -> Verb:
    """--input, --images, --noise, --batch, --eval."""
    options = [
        click.option(
            "--input",
            "inputs",
            type=InputType(),
            multiple=True,
            help="Shape of one sample: 3x224x224 is filled with photographs, other shapes with normal numbers, "
            "128@30522 with token ids. Repeat it for a model with several inputs. "
            "Models of timm and torchvision have a usual one.",
        ),
        click.option(
            "--images",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Folder with your own images for the input.",
        ),
        click.option(
            "--noise",
            type=click.Choice(["gaussian", "natural"]),
            help="Fill --input with synthetic numbers: independent ones, or with the spectrum and the correlated "
            "colours of photographs.",
        ),
        click.option(
            "--batch", type=click.IntRange(2), default=8, show_default=True, help="Number of samples."
        ),
        click.option("--eval", "evaluate", is_flag=True, help="Look at the model in evaluation mode."),
    ]
    for option in reversed(options):
        verb = option(verb)
    return verb


def output_options(verb: Verb) -> Verb:
    """--json, --html."""
    verb = click.option(
        "--html",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Also write the report as one HTML file.",
    )(verb)
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(verb)
