from __future__ import annotations

import math

import pytest
import torch
from tests.nets import mlp, noise, seeded, start
from torch import Tensor, nn
from torch.nn import functional as F

from initium.diagnose import HealthReport, diagnose


def codes(report: HealthReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity != "info"}


class Detector(nn.Module):
    """A sigmoid head over many anchors, with the sum of its focal losses per object."""

    def __init__(self, prior: float) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(16, 32), nn.Linear(32, 800)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, -math.log((1 - prior) / prior))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        logits = self.head(F.relu(self.body(x)))
        p = torch.sigmoid(logits)
        return {"classification": (0.75 * p**2 * F.softplus(logits)).sum() / len(x)}


@pytest.mark.parametrize(("prior", "bad"), [(0.01, False), (0.5, True)])
def test_a_forgotten_prior_bias(prior: float, bad: bool) -> None:
    with seeded():
        report = diagnose(Detector(prior), noise(8, 16))
    assert ("IN601" in codes(report)) is bad
    if bad:
        assert "classification" in report.findings[0].seen
        assert "head.weight" in report.findings[0].where


def test_erasing_the_prior_makes_a_report_worse() -> None:
    with seeded():
        good, bad = (diagnose(Detector(prior), noise(8, 16)) for prior in (0.01, 0.5))
    assert good.badness < bad.badness


def test_large_outputs() -> None:
    with seeded():
        model = start(mlp(2, 32, nn.ReLU), nn.init.kaiming_normal_)
    with torch.no_grad():
        model[-1].weight.mul_(100.0)  # type: ignore[index,operator]
    report = diagnose(model, noise(32, 32))
    assert codes(report) == {"IN602"}
    assert report.findings[0].where == ("4.weight",)
    assert report.findings[0].rule == {"where": "4.weight", "method": "lecun_normal", "params": {}}


@pytest.mark.parametrize(("factor", "bad"), [(0.1, False), (8.0, True)])
def test_the_first_cross_entropy_against_chance(factor: float, bad: bool) -> None:
    with seeded():
        model = start(mlp(2, 32, nn.ReLU), nn.init.kaiming_normal_)
    with torch.no_grad():
        model[-1].weight.mul_(factor)  # type: ignore[index,operator]
    labels = torch.arange(32) % 10
    report = diagnose(model, noise(32, 32), loss=lambda out: F.cross_entropy(out, labels))
    assert report.record.chance == pytest.approx(math.log(10))
    assert bool({"IN603", "IN602"} & codes(report)) is bad


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_sums_and_weighted_losses_are_not_compared_with_chance(reduction: str) -> None:
    labels = torch.arange(32) % 10
    loss = lambda out: F.cross_entropy(out, labels, reduction=reduction).sum()  # noqa: E731
    with seeded():
        report = diagnose(mlp(2, 32, nn.ReLU), noise(32, 32), loss=loss)
    assert report.record.chance is None
    assert "IN603" not in codes(report)


def test_two_losses_are_not_compared_with_chance() -> None:
    labels = torch.arange(32) % 10
    loss = lambda out: F.cross_entropy(out, labels) + F.cross_entropy(-out, labels)  # noqa: E731
    assert diagnose(mlp(2, 32, nn.ReLU), noise(32, 32), loss=loss).record.chance is None
