from __future__ import annotations

import json

from click.testing import CliRunner

import initium
from initium.cli.main import main


def run(*arguments):
    return CliRunner().invoke(main, ["methods", *arguments])


def test_every_method_is_listed():
    shown = run().stdout
    assert all(method.name in shown for method in initium.methods())


def test_patterns_match_names_other_names_and_families():
    assert "he_normal" in run("kaiming").stdout
    assert "he_normal" not in run("*orthogonal*").stdout
    assert "orthogonal" in run("*orthogonal*").stdout


def test_json_is_the_whole_catalogue():
    data = json.loads(run("--json").stdout)
    assert [item["name"] for item in data] == [method.name for method in initium.methods()]
    assert all(item["summary"] and item["paper"] for item in data)


def test_no_match_is_a_usage_error():
    done = run("nothing*")
    assert done.exit_code == 2
    assert "no method matches 'nothing*'" in done.stderr


def names_of(*arguments):
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return [item["name"] for item in json.loads(done.stdout)]


def test_filters_are_those_of_the_library():
    assert names_of("--family", "residual") == [one.name for one in initium.methods(family="residual")]
    assert names_of("--for", "relu") == [one.name for one in initium.methods(activation="relu")]
    assert names_of("--needs", "gradient") == ["metainit", "gradinit", "nio"]


def test_filters_and_pattern_narrow_each_other():
    assert names_of("--family", "data_driven", "--for", "relu", "--needs", "data") == [
        one.name for one in initium.methods(family="data_driven", activation="relu", needs="data")
    ]
    assert names_of("*suv", "--needs", "data") == ["lsuv"]


def test_filters_that_leave_nothing_are_named():
    done = run("he_normal", "--needs", "data")
    assert done.exit_code == 2
    assert "no method matches 'he_normal' --needs data" in done.stderr


def test_unknown_filters_say_what_is_known():
    done = run("--family", "residul")
    assert done.exit_code == 2
    assert "did you mean residual" in done.stderr
    assert run("--needs", "magic").exit_code == 2
    assert run("--for", "rilu").exit_code == 2


def test_the_table_is_filtered_too():
    shown = run("--needs", "data").stdout
    assert "3 initialization methods" in shown
    assert "lsuv" in shown
    assert "he_normal" not in shown


def test_recipes_are_listed_and_searched():
    assert all(recipe.name in run("--recipes").stdout for recipe in initium.recipes())
    names = [one["name"] for one in json.loads(run("--recipes", "--json", "vit").stdout)]
    assert names == ["timm_vit", "vit_jax", "vit_jax_nlhb", "vit_moco"]
    wrong = run("--recipes", "nothing")
    assert wrong.exit_code == 2
    assert "no recipe matches 'nothing'" in wrong.stderr
    assert "drop them" in run("--recipes", "--for", "relu").stderr
