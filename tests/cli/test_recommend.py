from __future__ import annotations

import json

from click.testing import CliRunner

from initium.cli.main import main

SOURCE = """
from torch import nn

def make():
    layers = [part for _ in range(6) for part in (nn.Linear(16, 16), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(16, 4))
"""


def run(*arguments):
    return CliRunner().invoke(main, ["recommend", *arguments])


def test_advice_is_printed_as_text_and_json(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    net = f"{tmp_path / 'net.py'}:make"
    done = run(net, "--input", "16", "--html", str(tmp_path / "page.html"))
    assert done.exit_code == 0, done.stderr
    assert "ADVICE  Use policy auto" in done.stdout
    assert "Recorded runs" in done.stdout
    assert "<h2>Diagnosis</h2>" in (tmp_path / "page.html").read_text()
    assert json.loads(run(net, "--input", "16", "--json").stdout)["traits"]["chain"] == 7


def test_a_page_that_cannot_be_written_is_found_before_the_work(tmp_path):
    done = run("nothing:at_all", "--html", str(tmp_path / "no" / "page.html"))
    assert done.exit_code == 2
    assert "cannot write" in done.stderr
