from __future__ import annotations

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

import initium
from initium.cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, ["explain", *arguments])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_method_is_explained_in_lines_that_fit(lang):
    for method in initium.methods():
        done = run(method.name, "--lang", lang)
        assert done.exit_code == 0, method.name
        assert method.name in done.stdout
        long = [line for line in done.stdout.splitlines() if cell_len(line) > 100 and " " in line.strip()]
        assert not long


def test_a_layer_is_worked_out():
    assert "std 0.11" in run("he_normal", "--layer", "conv:3,64,7").stdout  # sqrt(2 / 147) = 0.1166


def test_unknown_names_and_layers_are_usage_errors():
    assert run("he_norml").exit_code == 2
    assert "he_normal" in run("he_norml").stderr
    assert run("he_normal", "--layer", "conv").exit_code == 2
    assert run("he_normal", "--lang", "fr").exit_code == 2


def test_a_recipe_is_explained_in_two_languages():
    english = CliRunner().invoke(main, ["explain", "recipe:timm_vit"])
    assert english.exit_code == 0
    assert "linear -> truncated_normal" in english.stdout
    assert "配方" in CliRunner().invoke(main, ["explain", "recipe:timm_vit", "--lang", "zh"]).stdout
