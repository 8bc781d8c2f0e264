from __future__ import annotations

import math

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from torch import Tensor, nn

from initium.diagnose import HealthReport, diagnose


def found(report: HealthReport, code: str) -> tuple[str, ...]:
    return next((finding.where for finding in report.findings if finding.code == code), ())


def test_meta_models_are_reported_not_run() -> None:
    with torch.device("meta"):
        model = plain_conv(2, 4, norm=True)
    report = diagnose(model, noise(2, 3, 8, 8))
    assert report.verdict == "unhealthy"
    assert [f.code for f in report.findings] == ["IN701"]
    assert "0.weight" in found(report, "IN701")
    assert "1.running_mean" in found(report, "IN701")
    assert "unhealthy" in str(report).lower()


def test_one_buffer_left_on_meta() -> None:
    model = plain_conv(2, 4, norm=True)
    model[1].running_var = torch.empty(4, device="meta")
    assert found(diagnose(model, noise(2, 3, 8, 8)), "IN701") == ("1.running_var",)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_parameters_that_are_not_finite(value: float) -> None:
    model = mlp(3, 16, nn.ReLU)
    with torch.no_grad():
        model[2].weight[3, 5] = value  # type: ignore[index,operator]
    report = diagnose(model, noise(16, 16))
    assert [f.code for f in report.findings] == ["IN702"]
    assert found(report, "IN702") == ("2.weight",)
    assert report.findings[0].rule == {"where": "2.weight", "method": "he_normal", "params": {}}


def test_buffers_with_nan_but_not_masks_with_inf() -> None:
    model = plain_conv(2, 4, norm=True)
    model.register_buffer("mask", torch.full((4,), -math.inf))
    assert found(diagnose(model, noise(2, 3, 8, 8)), "IN702") == ()
    model[1].running_var.fill_(math.nan)
    assert found(diagnose(model, noise(2, 3, 8, 8)), "IN702") == ("1.running_var",)


@pytest.mark.parametrize("value", [1e30, -3e12])
def test_memory_that_was_never_written(value: float) -> None:
    with seeded():
        model = mlp(3, 16, nn.ReLU)
    with torch.no_grad():
        model[2].weight[3, 5] = value  # type: ignore[index,operator]
    report = diagnose(model, noise(16, 16))
    assert found(report, "IN703") == ("2.weight",)
    assert not report.healthy


def test_denormal_numbers_are_garbage() -> None:
    with seeded():
        model = mlp(3, 16, nn.ReLU)
    with torch.no_grad():
        model[2].weight.copy_(torch.arange(256.0).view(16, 16) * 1e-43)  # type: ignore[index,operator]
    assert found(diagnose(model, noise(16, 16)), "IN703") == ("2.weight",)


def test_unused_parameters_are_told_and_no_fault() -> None:
    class Partly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.spare = nn.Linear(16, 10), nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x)

    report = diagnose(Partly(), noise(16, 16))
    assert found(report, "IN704") == ("spare.weight", "spare.bias")
    assert report.verdict == "healthy"


def test_parameters_behind_detach() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).detach())

    report = diagnose(Detached(), noise(16, 16))
    assert found(report, "IN705") == ("a.weight", "a.bias")
    assert report.verdict == "healthy"


def test_a_tiny_constant_was_written_by_somebody() -> None:
    with seeded():
        model = mlp(2, 16, nn.ReLU)
    nn.init.constant_(model[0].bias, 1e-38)  # type: ignore[arg-type,index]
    assert found(diagnose(model, noise(16, 16)), "IN703") == ()
    with torch.no_grad():
        model[0].bias[::2] = 2e-38  # type: ignore[index,operator]
    assert found(diagnose(model, noise(16, 16)), "IN703") == ("0.bias",)


def test_frozen_parameters_need_no_gradient() -> None:
    with seeded():
        model = mlp(2, 16, nn.ReLU)
    model[2].weight.requires_grad_(False)  # type: ignore[index,operator]
    assert found(diagnose(model, noise(16, 16)), "IN705") == ()
