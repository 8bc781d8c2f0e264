from __future__ import annotations

import hashlib
import json

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, load_model
from torch import nn

from initium.cli.main import main
from initium.plan import Plan

SOURCE = """
from torch import nn

def make(width=16):
    return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.BatchNorm1d(width), nn.Linear(width, 4))

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x):
        return self.head(self.table(x))
"""


def run(*arguments):
    done = CliRunner().invoke(main, [str(word) for word in arguments])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    return f"{tmp_path / 'net.py'}:make"


@pytest.fixture
def plan_file(net, tmp_path):
    run("plan", net, "--input", "8", "-o", tmp_path / "plan.json")
    return tmp_path / "plan.json"


def test_the_file_holds_the_weights_of_the_plan(net, plan_file, tmp_path):
    done = run("apply", net, "--plan", plan_file, "--seed", 3, "-o", tmp_path / "w.safetensors")
    assert "Receipt for Sequential" in done.stdout

    def make():
        return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 4))

    loaded, direct = make(), make()
    load_model(loaded, tmp_path / "w.safetensors")
    Plan.from_json(plan_file.read_text()).apply(direct, seed=3)
    for key, value in direct.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


def test_the_file_says_where_it_comes_from(net, plan_file, tmp_path):
    run("apply", net, "--plan", plan_file, "-o", tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        facts = file.metadata()
    assert facts["seed"] == "0"
    assert facts["plan_sha256"] == hashlib.sha256(plan_file.read_bytes()).hexdigest()


def test_the_same_plan_and_seed_give_the_same_file(net, plan_file, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run("apply", net, "--plan", plan_file, "--seed", seed, "-o", tmp_path / name)
    a, b, c = (load_file(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["0.weight"], c["0.weight"])


def test_tied_weights_are_stored_once_and_loaded_back(tmp_path, net):
    tied = net.replace(":make", ":Tied")
    run("plan", tied, "--input", "5@20", "-o", tmp_path / "plan.json")
    run("apply", tied, "--plan", tmp_path / "plan.json", "-o", tmp_path / "w.safetensors")
    assert len(load_file(tmp_path / "w.safetensors")) == 1


def test_json_is_a_receipt(net, plan_file, tmp_path):
    done = run("apply", net, "--plan", plan_file, "-o", tmp_path / "w", "--json")
    assert len(json.loads(done.stdout)["entries"]) == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "is no plan"),
        ("not json", "is no plan"),
        ('{"format": "initium.plan/1", "assignments": [{"name": "x", "method": "os.system"}]}', ""),
    ],
)
def test_a_file_that_is_no_plan_is_an_error_and_leaves_nothing(net, tmp_path, text, message):
    (tmp_path / "plan.json").write_text(text)
    target = tmp_path / "w.safetensors"
    done = CliRunner().invoke(main, ["apply", net, "--plan", str(tmp_path / "plan.json"), "-o", str(target)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert not target.exists()


def test_bytes_that_are_no_text_are_an_error(net, tmp_path):
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe\x00")
    done = CliRunner().invoke(
        main, ["apply", net, "--plan", str(tmp_path / "plan.json"), "-o", str(tmp_path / "w")]
    )
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


def test_a_plan_for_another_model_is_refused(net, plan_file, tmp_path):
    target = tmp_path / "w.safetensors"
    done = CliRunner().invoke(
        main, ["apply", net, "--arg", "width=8", "--plan", str(plan_file), "-o", str(target)]
    )
    assert done.exit_code == 2
    assert not target.exists()
