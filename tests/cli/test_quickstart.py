from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from initium.cli.main import main

SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    path = tmp_path_factory.mktemp("quickstart") / "page.html"
    done = CliRunner().invoke(main, ["quickstart", "--steps", "12", "--html", str(path)])
    assert done.exit_code == 0, done.output
    return done, path.read_text(encoding="utf-8")


def test_it_says_what_is_wrong_what_it_does_and_what_comes_of_it(shown):
    text = shown[0].stdout
    order = [
        "1 look",
        "unhealthy",
        "vanishes",
        "2 decide",
        "zeros",
        "3 do",
        "is healthy",
        "4 prove",
        "training loss",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    assert re.search(r"torch default +2\.30\d +\d+ %", text)
    assert re.search(r"initium +\d\.\d{3} +\d+ %", text)
    assert "page.html" in text


def test_progress_goes_to_standard_error(shown):
    assert "12/12" in shown[0].stderr
    assert "12/12" not in shown[0].stdout


def test_the_page_has_both_learning_curves_and_what_goes_through_depth(shown):
    charts = [ET.fromstring(svg) for svg in SVG.findall(shown[1])]
    titles = [chart[0].text for chart in charts]
    assert [title.split(":")[0].split(",")[0] for title in titles] == [
        "Training loss",
        "Signal",
        "Difference",
        "Gradient",
    ]
    for chart in charts:
        words = {"".join(element.itertext()) for element in chart.iter() if element.tag.endswith("text")}
        assert {"torch default", "initium"} <= words


def test_the_page_quotes_the_findings_and_every_parameter(shown):
    assert "IN101" in shown[1]
    assert "IN201" in shown[1]
    assert "39.bias" in shown[1]
    assert "2.30" in shown[1]


def test_the_same_seed_tells_the_same_story(tmp_path, shown):
    again = CliRunner().invoke(main, ["quickstart", "--steps", "12", "--html", str(tmp_path / "page.html")])
    assert re.findall(r"\d\.\d{3}", again.stdout) == re.findall(r"\d\.\d{3}", shown[0].stdout)


def test_a_page_that_cannot_be_written_is_told_before_the_training(tmp_path):
    done = CliRunner().invoke(main, ["quickstart", "--html", str(tmp_path / "missing" / "page.html")])
    assert done.exit_code == 2
    assert "cannot write to" in done.stderr
    assert "1 look" not in done.stdout


@pytest.mark.slow
def test_the_whole_quickstart_keeps_its_promise(tmp_path):
    done = CliRunner().invoke(main, ["quickstart", "--html", str(tmp_path / "page.html")])
    loss = {name: float(value) for name, value in re.findall(r"(default|initium) +(\d\.\d{3})", done.stdout)}
    assert loss["default"] == pytest.approx(2.303, abs=0.02)
    assert loss["initium"] <= 0.95
