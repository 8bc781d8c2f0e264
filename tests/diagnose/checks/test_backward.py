from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from tests.nets import mlp, noise, seeded, start
from torch import Tensor, nn
from torch.nn import functional as F

from initium.diagnose import diagnose
from initium.diagnose.checks import backward


def test_deep_sigmoids_vanish() -> None:
    with seeded():
        report = diagnose(mlp(20, 32, nn.Sigmoid), noise(32, 32))
    found = next(f for f in report.findings if f.code == "IN201")
    assert found.severity == "error"
    assert "vanishes" in found.seen
    assert int(found.where[0].split(".")[0]) > 20  # seen from the output, it begins near the end


def test_large_tanh_weights_explode() -> None:
    with seeded():
        report = diagnose(start(mlp(20, 64, nn.Tanh), nn.init.normal_), noise(32, 64))
    found = next(f for f in report.findings if f.code == "IN202")
    assert found.severity == "error"
    assert "explodes" in found.seen


def test_a_signal_that_is_zero_is_no_gradient_that_explodes() -> None:
    with seeded():
        model = start(mlp(6, 32, nn.Tanh), nn.init.xavier_normal_)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.0 if parameter.dim() == 1 else 1.0)
        model[6].weight.zero_()  # type: ignore[union-attr,operator]
    codes = {finding.code for finding in diagnose(model, noise(32, 32)).findings}
    assert "IN101" in codes
    assert not codes & {"IN201", "IN202"}


def test_xavier_tanh_is_sound() -> None:
    with seeded():
        report = diagnose(start(mlp(20, 64, nn.Tanh), nn.init.xavier_normal_), noise(32, 64))
    assert report.verdict == "healthy"


def test_rescaling_layers_of_a_relu_net_moves_the_signal_but_not_the_gradient() -> None:
    """S is the same whatever the scale is, only where the signal is changes."""
    with seeded():
        model = start(mlp(6, 64, nn.ReLU), nn.init.kaiming_normal_)
    before = diagnose(model, noise(32, 64))
    with torch.no_grad():
        model[0].weight.mul_(100.0)  # type: ignore[index,operator]
        model[4].weight.mul_(0.01)  # type: ignore[index,operator]
    after = diagnose(model, noise(32, 64))
    for one, other in zip(before.measures, after.measures, strict=True):
        assert one.strength is not None
        assert other.strength is not None
        assert abs(one.strength / other.strength - 1) < 1e-3


def test_a_dead_layer_leaves_weights_without_gradient() -> None:
    with seeded():
        model = mlp(3, 32, nn.ReLU)
    nn.init.constant_(model[2].bias, -100.0)  # type: ignore[arg-type,index]
    report = diagnose(model, noise(32, 32))
    assert not report.healthy
    assert {"IN204", "IN101"} & {f.code for f in report.findings}


def test_weights_that_the_loss_does_not_look_at_are_no_fault() -> None:
    """A detector's loss takes the matched anchors only."""

    class Levels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 4), nn.Linear(16, 4)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            x = F.relu(self.body(x))
            out = torch.cat([self.a(x), self.b(x)], 1)
            return {"box": out[:, :3].square().sum()}

    report = diagnose(Levels(), noise(32, 8))
    assert report.healthy
    assert "IN204" not in {f.code for f in report.findings}


class Frozen(nn.Module):
    """A norm whose gain and shift are buffers."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.register_buffer("gain", torch.full((8, 1, 1), gain))
        self.register_buffer("shift", torch.zeros(8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.get_buffer("gain") + self.get_buffer("shift")


class Detector(nn.Module):
    """Residual blocks, each ended by a frozen norm."""

    def __init__(self, *gains: float) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), Frozen(gain)) for gain in gains
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean((2, 3)))


def test_buffers_of_zeros_that_close_a_branch_for_good_are_named() -> None:
    with seeded():
        report = diagnose(Detector(1.0, 0.0, 0.0), noise(8, 3, 8, 8))
    found = next(f for f in report.findings if f.code == "IN204")
    assert found.where == ("blocks.1.0.weight", "blocks.2.0.weight")
    assert "blocks.1.2, blocks.2.2 multiply the signal by a buffer of zeros" in found.why
    assert "load a checkpoint" in found.remedy
    assert diagnose(Detector(1.0, 1.0), noise(8, 3, 8, 8)).healthy


def test_norms_are_blamed_for_gradients_that_explode_and_not_for_those_that_vanish() -> None:
    part = SimpleNamespace(layer=SimpleNamespace(kind="linear"), scale_free=True)
    measures: Any = SimpleNamespace(record=SimpleNamespace(parts={"a": part, "b": part}))
    remedies = {vanishing: backward._remedy(measures, vanishing) for vanishing in (True, False)}
    assert "move norm shifts up" in remedies[False]
    assert "move norm shifts up" not in remedies[True]
    part.scale_free = False
    assert backward._remedy(measures, False) == remedies[True]
