from __future__ import annotations

import pytest
import torch
from tests.nets import mlp, noise, seeded, start
from torch import nn

from initium.diagnose import HealthReport, diagnose
from initium.diagnose.checks.precision import check_precision
from initium.diagnose.measures import Measures
from initium.record import record


def codes(report: HealthReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity != "info"}


def half(model: nn.Module, factor: float) -> HealthReport:
    with torch.no_grad():
        model[0].weight.mul_(factor)  # type: ignore[index,operator]
    return diagnose(model.half(), noise(32, 64).half())


def test_values_near_the_largest_half() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.ReLU), nn.init.kaiming_normal_)
        model[2].weight.data.mul_(1e-4)  # type: ignore[index,operator]
    report = half(model, 4000.0)
    assert {"IN801", "IN102"} & codes(report)


def test_sound_half_models_are_silent() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.ReLU), nn.init.kaiming_normal_)
    assert half(model, 1.0).verdict == "healthy"


def test_gradients_below_the_smallest_half() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.ReLU), nn.init.kaiming_normal_).half()
    loss = lambda out: out.float().sum() * 1e-9  # noqa: E731
    report = diagnose(model, noise(32, 64).half(), loss=loss)
    assert {"IN802", "IN204"} & {f.code for f in report.findings}


@pytest.mark.parametrize(("peak", "near"), [(4000.0, False), (20_000.0, True)])
def test_the_margin_below_the_largest_half_is_eight(peak: float, near: bool) -> None:
    """65,504 / 8 = 8,188."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.constant_(model[0].weight, peak)  # type: ignore[arg-type]
    nn.init.constant_(model[1].weight, 1e-4)  # type: ignore[arg-type]
    seen = record(model.half(), torch.tensor([[1.0], [0.5], [-0.5], [0.1]]).half())
    assert [one.code for one in check_precision(Measures(seen))] == (["IN801"] if near else [])
