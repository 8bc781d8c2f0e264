from __future__ import annotations

import copy

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import nn

from initium.diagnose import HealthReport, diagnose


def codes(report: HealthReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity != "info"}


def zeroed(model: nn.Module) -> nn.Module:
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    return model


@pytest.mark.parametrize("model", [mlp(3, 16, nn.ReLU), mlp(3, 16, nn.Tanh), plain_conv(3, 8)])
def test_zero_initialization_cannot_learn(model: nn.Module) -> None:
    x = noise(16, 16) if isinstance(model[0], nn.Linear) else noise(4, 3, 8, 8)  # type: ignore[index]
    report = diagnose(zeroed(model), x)
    assert not report.healthy
    assert codes(report) == {"IN301"}  # one finding for one cause
    assert "zero initialization cannot learn" in report.findings[0].why
    assert len(report.findings[0].where) >= 3


def test_constant_weights() -> None:
    report = diagnose(start(mlp(3, 16, nn.Tanh), lambda w: nn.init.constant_(w, 0.05)), noise(16, 16))
    assert codes(report) == {"IN301"}
    assert "0.05" in report.findings[0].seen


def test_two_equal_units_that_stay_equal() -> None:
    with seeded():
        model = start(mlp(1, 16, nn.Tanh), nn.init.xavier_normal_)
    with torch.no_grad():
        model[0].weight[1:8] = model[0].weight[0]  # type: ignore[index,operator]
        model[2].weight[:, 1:8] = model[2].weight[:, :1]  # type: ignore[index,operator]
    report = diagnose(model, noise(64, 16))
    found = next(f for f in report.findings if f.code == "IN302")
    assert found.where == ("0.weight",)
    assert found.severity == "error"


def test_equal_rows_that_part_at_the_first_step_are_silent() -> None:
    with seeded():
        model = start(mlp(1, 16, nn.Tanh), nn.init.xavier_normal_)
    with torch.no_grad():
        model[0].weight[1:8] = model[0].weight[0]  # type: ignore[index,operator]
    assert "IN302" not in codes(diagnose(model, noise(64, 16)))


def test_equal_depthwise_kernels_are_silent() -> None:
    """Bilinear upsampling starts every channel with the same kernel."""
    with seeded():
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 16, 4, 2, 1, groups=16, bias=False), nn.Conv2d(16, 4, 3),
        )  # fmt: skip
    with torch.no_grad():
        model[2].weight.copy_(torch.rand(1, 1, 4, 4).expand(16, 1, 4, 4))  # type: ignore[operator,union-attr]
    assert not {"IN301", "IN302"} & codes(diagnose(model, noise(4, 3, 8, 8)))


def test_icnr_is_silent() -> None:
    """Before a pixel shuffle, rows are equal in fours on purpose."""
    with seeded():
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 1),
            nn.PixelShuffle(2),
            nn.Conv2d(8, 4, 3),
        )
    with torch.no_grad():
        weight = model[2].weight
        weight.copy_(weight[::4].repeat_interleave(4, 0))  # type: ignore[operator,union-attr,index]
    assert not {"IN301", "IN302"} & codes(diagnose(model, noise(4, 3, 8, 8)))


def test_layers_that_are_copies() -> None:
    with seeded():
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 4)
    report = diagnose(model, noise(4, 10, 32))
    assert report.verdict == "warning"
    assert codes(report) == {"IN303"}
    assert len(report.findings[0].where) == 16


def test_a_frozen_copy_is_a_teacher_and_silent() -> None:
    class Teacher(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.student = mlp(1, 16, nn.ReLU)
            self.teacher = copy.deepcopy(self.student).requires_grad_(False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.student(x) - self.teacher(x).detach() + self.student(x).mean()

    with seeded():
        assert "IN303" not in codes(diagnose(Teacher(), noise(16, 16)))


@pytest.mark.parametrize("factor", [1.0, -0.5])
def test_layers_that_are_the_identity_are_no_copies_of_each_other(factor: float) -> None:
    with seeded():
        model = mlp(4, 16, nn.ReLU)
    for layer in (2, 4):
        nn.init.eye_(model[layer].weight).data.mul_(factor)  # type: ignore[arg-type]
    assert "IN303" not in codes(diagnose(model, noise(16, 16)))
    nearly = 0.01 * torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    for layer in (2, 4):
        model[layer].weight.data.add_(nearly)  # type: ignore[operator,union-attr]
    assert "IN303" in codes(diagnose(model, noise(16, 16)))


def test_equal_factors_of_different_signals_are_no_copies() -> None:
    """The decay rates of state spaces start alike in every block."""

    class Decays(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rate = nn.Parameter(torch.arange(1.0, 5.0).repeat(16, 1))
            self.linear = nn.Linear(16, 16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = x + (self.linear(x)[..., None] * self.rate).mean(-1)
            return out

    with seeded():
        model = nn.Sequential(Decays(), nn.LayerNorm(16), Decays())
    assert "IN303" not in codes(diagnose(model, noise(16, 16)))


def test_tied_weights_are_no_copies() -> None:
    with seeded():
        model = mlp(2, 16, nn.ReLU)
    model[2].weight = model[0].weight  # type: ignore[index]
    assert "IN303" not in codes(diagnose(model, noise(16, 16)))


@pytest.mark.parametrize(("width", "told"), [(7, False), (8, True)])
def test_small_tensors_may_be_equal(width: int, told: bool) -> None:
    """49 elements may be equal for good reasons, 64 are a copy."""
    with seeded():
        model = mlp(4, width, nn.ReLU)
    with torch.no_grad():
        model[4].weight.copy_(model[2].weight)  # type: ignore[index,operator]
    assert ("IN303" in codes(diagnose(model, noise(16, width)))) == told
