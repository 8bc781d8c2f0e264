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
