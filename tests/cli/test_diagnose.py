from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from initium.cli.main import main

SOURCE = """
from torch import nn

def sound(width=32):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, width), nn.ReLU(), nn.Linear(width, 10))

def dead(depth=20):
    layers = [layer for _ in range(depth) for layer in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Linear(8, 64), *layers, nn.Linear(64, 10))

def tokens():
    return nn.Sequential(nn.Embedding(100, 16), nn.Flatten(), nn.Linear(16 * 5, 4))

class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 8), nn.Linear(6, 8)

    def forward(self, a, b):
        return self.left(a) + self.right(b)

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        raise RuntimeError("\\x1b[31mbroken")
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    return str(tmp_path / "net.py")


def run(*arguments):
    return CliRunner().invoke(main, ["diagnose", *arguments])


def test_a_sound_model_is_called_healthy(net):
    done = run(f"{net}:sound", "--input", "3x8x8")
    assert done.exit_code == 0, done.stderr
    assert "HEALTHY" in done.stdout
    assert "UNHEALTHY" not in done.stdout


def test_a_dead_model_is_called_so_and_fails_only_where_asked(net):
    arguments = [f"{net}:dead", "--input", "8", "--batch", "16"]
    done = run(*arguments)
    assert done.exit_code == 0
    assert "UNHEALTHY" in done.stdout
    assert "what to do" in done.stdout.lower()
    assert run(*arguments, "--fail-on", "error").exit_code == 1
    assert run(*arguments, "--fail-on", "warning").exit_code == 1
    assert run(f"{net}:sound", "--input", "3x8x8", "--fail-on", "error").exit_code == 0


def test_arguments_reach_the_factory(net):
    assert "UNHEALTHY" not in run(f"{net}:dead", "--arg", "depth=1", "--input", "8", "--batch", "16").stdout


def test_json_is_json_and_nothing_else(net, tmp_path):
    page = tmp_path / "page.html"
    done = run(f"{net}:dead", "--input", "8", "--json", "--html", str(page))
    data = json.loads(done.stdout)
    assert {"IN101", "IN201"} & {finding["code"] for finding in data["findings"]}
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_same_seed_says_the_same(net):
    one, two, other = (run(f"{net}:dead", "--input", "8", "--seed", seed).stdout for seed in "112")
    assert one == two
    assert one != other


@pytest.mark.parametrize("arguments", [("tokens", "5@100"), ("Two", "4", "6")])
def test_token_ids_and_several_inputs(net, arguments):
    factory, *shapes = arguments
    options = [word for shape in shapes for word in ("--input", shape)]
    done = run(f"{net}:{factory}", *options)
    assert done.exit_code == 0, done.stderr


def test_evaluation_mode_is_used_where_asked(net):
    assert "evaluation" in run(f"{net}:sound", "--input", "3x8x8", "--eval").stdout
    assert "training" in run(f"{net}:sound", "--input", "3x8x8").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["FILE:sound"], 2, "no input for"),
        (["FILE:sound", "--input", "3x8y8"], 2, "no shape"),
        (["FILE:sound", "--input", "3x9x9"], 1, ""),
        (["FILE:Broken", "--input", "4"], 1, "\\x1b[31mbroken"),
        (["FILE:soundd", "--input", "4"], 2, "did you mean sound"),
        (["FILE:sound", "--input", "3x8x8", "--fail-on", "never"], 2, "--fail-on"),
        (["FILE:sound", "--input", "3x8x8", "--arg", "width"], 2, "no keyword argument"),
        (["FILE:sound", "--input", "3x8x8", "--html", "/no/such/place/x.html"], 2, "cannot write"),
    ],
)
def test_errors_are_told_and_have_exit_codes(net, arguments, code, message):
    done = run(*(word.replace("FILE", net) for word in arguments))
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert done.stderr.startswith(("Error: ", "Usage: "))
    assert "Traceback" not in done.stderr


def test_a_model_of_torchvision_needs_no_shape():
    done = run("torchvision:squeezenet1_1", "--input", "3x64x64", "--batch", "2")
    assert done.exit_code == 0, done.stderr
    assert "SqueezeNet" in done.stdout
