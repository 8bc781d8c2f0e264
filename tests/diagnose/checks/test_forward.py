from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import Tensor, nn

from initium.diagnose import HealthReport, diagnose
from initium.diagnose.checks import forward
from initium.diagnose.trunk import TrunkPoint


def codes(report: HealthReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity != "info"}


def test_the_framework_default_vanishes_in_a_deep_plain_net() -> None:
    with seeded():
        model = plain_conv(20, 32)
    report = diagnose(model, noise(8, 3, 16, 16))
    found = next(f for f in report.findings if f.code == "IN101")
    assert not report.healthy
    assert found.severity == "error"
    layer = int(found.where[0].split(".")[0])
    assert 4 <= layer <= 10  # where it leaves the band, not where it ends
    assert found.rule is not None
    assert found.rule["where"] == "weight"


def test_he_keeps_it() -> None:
    with seeded():
        model = start(plain_conv(20, 32), nn.init.kaiming_normal_)
    assert diagnose(model, noise(8, 3, 16, 16)).verdict == "healthy"


@pytest.mark.parametrize(("std", "code"), [(0.01, "IN101"), (1.0, "IN102")])
def test_fixed_standard_deviations(std: float, code: str) -> None:
    with seeded():
        model = start(plain_conv(12, 16), lambda w: nn.init.normal_(w, std=std))
    report = diagnose(model, noise(4, 3, 16, 16))
    assert code in codes(report)
    assert report.findings[0].where[0].split(".")[0] in ("0", "2", "4")  # it begins at once


def test_a_drift_inside_the_band() -> None:
    with seeded():
        model = start(mlp(8, 64, nn.ReLU), lambda w: nn.init.normal_(w, std=1.7 * (2 / 64) ** 0.5))
    report = diagnose(model, 0.05 * noise(64, 64))
    assert codes(report) == {"IN103"}
    assert "decades" in report.findings[0].seen


def test_norms_make_any_scale_healthy() -> None:
    with seeded():
        model = start(plain_conv(12, 16, norm=True), lambda w: nn.init.normal_(w, std=1.0))
    model[-1].reset_parameters()  # type: ignore[index,operator]
    assert diagnose(model, noise(8, 3, 16, 16)).healthy


def test_values_that_overflow_are_named_where_they_begin() -> None:
    class Exponential(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.c(self.b(torch.exp(500 * self.a(x))))

    report = diagnose(Exponential(), noise(32, 8))
    assert codes(report) == {"IN104"}
    assert report.findings[0].where == ("b.weight",)


def test_gradients_that_are_nan() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(torch.sqrt(0.0 * self.a(x).square()))

    report = diagnose(Root(), noise(32, 8))
    assert "IN203" in codes(report)
    assert not report.healthy


@pytest.mark.parametrize(("scale", "below"), [(1e-4, True), (1.0, False)])
def test_a_norm_whose_epsilon_exceeds_the_variance(scale: float, below: bool) -> None:
    with seeded():
        model = nn.Sequential(nn.Linear(16, 16, bias=False), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 4))
    with torch.no_grad():
        model[0].weight.mul_(scale)  # type: ignore[operator,union-attr]
    assert ("IN105" in codes(diagnose(model, noise(16, 16)))) is below


def test_a_small_stream_that_norms_restore_is_healthy() -> None:
    """Token embeddings of standard deviation 0.02 before pre-norm blocks."""

    class PreNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.norm = nn.Embedding(50, 32), nn.LayerNorm(32)
            self.fc1, self.fc2, self.last = nn.Linear(32, 64), nn.Linear(64, 32), nn.LayerNorm(32)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            y = self.embed(x)
            y = y + 0.02 * self.fc2(torch.relu(self.fc1(self.norm(y))))
            return self.head(self.last(y))

    with seeded():
        model = PreNorm()
        nn.init.normal_(model.embed.weight, std=0.02)
    assert diagnose(model, torch.arange(40).view(4, 10)).verdict == "healthy"


def test_depthwise_halves_are_one_layer() -> None:
    """A tiny value between a depthwise and a pointwise convolution is no fault: a norm follows the pair."""
    with seeded():
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 16, 3, groups=16, bias=False), nn.Conv2d(16, 32, 1, bias=False), nn.BatchNorm2d(32),
            nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
        )  # fmt: skip
        nn.init.normal_(model[3].weight, std=0.003)  # type: ignore[arg-type]
    assert diagnose(model, noise(8, 3, 16, 16)).verdict == "healthy"


class Standardized(nn.Linear):
    """A linear map by rows of mean 0 and variance 1: it multiplies the second moment by its width."""

    def forward(self, x: Tensor) -> Tensor:
        spread, mean = torch.std_mean(self.weight, dim=1, keepdim=True)
        return nn.functional.linear(x, (self.weight - mean) / spread)


@pytest.mark.parametrize(("depth", "code"), [(6, "IN102"), (50, "IN104")])
def test_no_start_is_asked_of_a_weight_whose_scale_is_taken_out(depth: int, code: str) -> None:
    with seeded():
        report = diagnose(nn.Sequential(*(Standardized(64, 64) for _ in range(depth))), noise(8, 64))
    found = next(one for one in report.findings if one.code == code)
    assert "after 2 layers" in found.seen  # 64^2 = 4,096 is the first beyond 1,000
    assert "standardized" in found.remedy
    assert "1/sqrt(fan_in)" in found.remedy


@pytest.mark.parametrize(
    ("span", "severity"), [(2.8, None), (2.9, "warning"), (3.0, "warning"), (3.1, "error")]
)
def test_a_drift_near_its_limit_is_a_warning(span: float, severity: str | None) -> None:
    ends = [TrunkPoint(depth, depth, "", ("0.weight",), 1.0, None, None, 0.5) for depth in (1, 2)]
    measures: Any = SimpleNamespace(drift=(span, *ends), record=SimpleNamespace(parts={}))
    assert [one.severity for one in forward._drifting(measures)] == ([severity] if severity else [])
