from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from initium.cli.main import main
from initium.cli.plan import read_rule
from initium.errors import UsageError
from initium.plan import Plan

SOURCE = """
from torch import nn

def make(width=16):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    return f"{tmp_path / 'net.py'}:make"


def run(*arguments):
    return CliRunner().invoke(main, ["plan", *arguments])


def test_a_plan_is_printed_and_written(net, tmp_path):
    path = tmp_path / "plan.json"
    done = run(net, "--input", "8", "-o", str(path))
    assert done.exit_code == 0, done.stderr
    assert "Plan for Sequential" in done.stdout
    assert f"initium apply {net} --plan {path}" in done.stdout
    assert len(Plan.from_json(path.read_text())) == 6


def test_a_method_is_a_policy(net):
    data = json.loads(run(net, "--input", "8", "--policy", "he_normal", "--json").stdout)
    methods = {item["name"]: item["method"] for item in data["assignments"]}
    assert methods["2.weight"] == "he_normal"


def test_rules_win(net):
    done = run(
        net, "--input", "8", "--rule", "4.weight=zeros", "--rule", "*.bias=constant:value=-4.5", "--json"
    )
    given = {item["name"]: item for item in json.loads(done.stdout)["assignments"]}
    assert given["4.weight"]["method"] == "zeros"
    assert given["0.bias"]["params"] == {"value": -4.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "he_norml"], "he_normal"),
        (["--rule", "nothing.*=zeros"], "matches none"),
        (["--rule", "zeros"], "is no rule"),
        (["--rule", "*=normal:std"], "no keyword argument"),
        (["--rule", "*=normal:where=3"], "gives where twice"),
        (["-o", "/no/such/place/plan.json"], "cannot write"),
    ],
)
def test_errors_are_usage_errors(net, arguments, message):
    done = run(net, "--input", "8", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_rule_is_read_with_its_parameters():
    rule = read_rule("head.*=normal:std=0.01,mean=0")
    assert (rule.where, rule.method, rule.params) == ("head.*", "normal", {"std": 0.01, "mean": 0})
    assert read_rule("branch_end=keep").method == "keep"
    with pytest.raises(UsageError, match="is no rule"):
        read_rule("=zeros")
