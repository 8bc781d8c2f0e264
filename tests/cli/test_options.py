"""What the shared options give to a verb."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from initium.cli.arguments import InputSpec
from initium.cli.options import aside, input_options, model_options, output_options


def given(decorate: Any, *arguments: str) -> dict[str, Any]:
    """What a verb with these options is called with."""
    seen: dict[str, Any] = {}
    command = click.command()(decorate(lambda **options: seen.update(options)))
    done = CliRunner().invoke(command, list(arguments))
    assert done.exit_code == 0, done.output
    return seen


def refused(decorate: Any, *arguments: str) -> str:
    done = CliRunner().invoke(click.command()(decorate(lambda **_: None)), list(arguments))
    assert done.exit_code == 2
    return done.output


def test_the_model_its_arguments_and_the_seed() -> None:
    assert given(model_options, "net.py:make") == {"model": "net.py:make", "args": (), "seed": 0}
    found = given(model_options, "--arg", "width=3", "vit6", "--seed", "7", "--arg", "depth=2")
    assert found == {"model": "vit6", "args": ("width=3", "depth=2"), "seed": 7}
    assert "MODEL" in refused(model_options)
    assert "not-a-number" in refused(model_options, "vit6", "--seed", "not-a-number")


def test_inputs_are_shapes_and_at_least_two_samples(tmp_path: Path) -> None:
    assert given(input_options) == {
        "inputs": (),
        "images": None,
        "noise": None,
        "batch": 8,
        "evaluate": False,
    }
    found = given(
        input_options, "--input", "3x8x8", "--input", "5@100", "--images", str(tmp_path), "--noise", "natural",
        "--batch", "2", "--eval",
    )  # fmt: skip
    assert found["inputs"] == (InputSpec((3, 8, 8)), InputSpec((5,), 100))
    assert (found["images"], found["noise"], found["batch"], found["evaluate"]) == (
        tmp_path,
        "natural",
        2,
        True,
    )
    assert "x>=2" in refused(input_options, "--batch", "1")
    assert "pink" in refused(input_options, "--noise", "pink")
    assert "does not exist" in refused(input_options, "--images", str(tmp_path / "none"))
    assert "3x0" in refused(input_options, "--input", "3x0")


def test_output_is_text_json_or_a_page(tmp_path: Path) -> None:
    assert given(output_options) == {"as_json": False, "html": None}
    page = tmp_path / "a.html"
    assert given(output_options, "--json", "--html", str(page)) == {"as_json": True, "html": page}
    assert "is a directory" in refused(output_options, "--html", str(tmp_path))


def test_what_others_print_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with aside():
        print("loading")
    print("result")
    assert sys.stdout is before
    assert capsys.readouterr() == ("result\n", "loading\n")
