from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import nn

from initium.diagnose import HealthReport, diagnose


@pytest.fixture(scope="module")
def sick() -> HealthReport:
    with seeded():
        return diagnose(plain_conv(20, 16), noise(4, 3, 8, 8))


@pytest.fixture(scope="module")
def sound() -> HealthReport:
    with seeded():
        return diagnose(start(mlp(4, 16, nn.ReLU), nn.init.kaiming_normal_), noise(32, 16))


def test_the_text_starts_with_the_verdict_and_ends_with_what_to_do(sick: HealthReport) -> None:
    lines = str(sick).splitlines()
    assert "Sequential" in lines[0]
    assert lines[1].startswith("UNHEALTHY")
    place = lines.index("What to do")
    assert place > lines.index("Criteria")
    assert any("IN101" in line for line in lines[place:])
    assert max(len(line) for line in lines) <= 110


def test_a_sound_model_needs_nothing(sound: HealthReport) -> None:
    text = str(sound)
    assert "HEALTHY" in text
    assert "Findings" not in text
    assert "Nothing. Train it." in text


def test_every_finding_is_told_in_full(sick: HealthReport) -> None:
    text = " ".join(str(sick).split())
    for finding in sick.findings:
        assert finding.code in text
        assert finding.remedy in text
        assert finding.why in text


def test_the_page(sick: HealthReport, tmp_path: Path) -> None:
    path = sick.to_html(tmp_path / "report.html")
    html = path.read_text()
    assert html.lstrip().lower().startswith("<!doctype html>")
    assert "<svg" in html
    assert "IN101" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html


def test_notebooks_get_a_fragment(sound: HealthReport) -> None:
    html = sound._repr_html_()
    assert "<svg" in html
    assert "<html" not in html


def test_reports_without_a_run_or_with_odd_values_can_be_shown(tmp_path: Path) -> None:
    with torch.device("meta"):
        model = mlp(1, 4, nn.ReLU)
    for report in (
        diagnose(model, noise(2, 4)),
        diagnose(start(mlp(3, 8, nn.ReLU), nn.init.zeros_), noise(1, 8)),
        diagnose(start(mlp(8, 64, nn.ReLU), lambda w: nn.init.normal_(w, std=1e6)), noise(4, 64)),
    ):
        assert str(report)
        assert report._repr_html_()
        assert HealthReport.from_json(report.to_json())._repr_html_()


def test_a_deep_model_is_summed_up() -> None:
    with seeded():
        report = diagnose(start(mlp(300, 8, nn.Tanh), nn.init.orthogonal_), noise(16, 8))
    assert len(report.measures) == 300
    assert len(str(report).splitlines()) < 90


def test_predictions_stand_beside_measurements(sound: HealthReport, tmp_path: Path) -> None:
    text = " ".join(str(sound).split())
    assert "Predicted and measured" in text
    assert "predicted throughout 5" in text
    html = sound.to_html(tmp_path / "report.html").read_text()
    assert "Predicted and measured second moments" in html
