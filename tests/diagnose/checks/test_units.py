from __future__ import annotations

import torch
from tests.nets import mlp, noise, seeded, start
from torch import Tensor, nn

from initium.diagnose import HealthReport, diagnose


def codes(report: HealthReport) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity != "info"}


def test_negative_biases_kill_units() -> None:
    with seeded():
        model = start(mlp(3, 64, nn.ReLU), nn.init.kaiming_normal_)
    with torch.no_grad():
        model[2].bias[:50] = -30.0  # type: ignore[index,operator]
    report = diagnose(model, noise(64, 64))
    found = next(f for f in report.findings if f.code == "IN401")
    assert found.severity == "warning"
    assert found.where == ("2.weight",)
    assert found.rule == {"where": "2.bias", "method": "zeros", "params": {}}


def test_more_than_half_of_all_units_dead_is_an_error() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.ReLU), nn.init.kaiming_normal_)
    with torch.no_grad():
        for layer in (0, 2):
            model[layer].bias[:40] = -30.0  # type: ignore[index,operator]
    found = next(f for f in diagnose(model, noise(64, 64)).findings if f.code == "IN401")
    assert found.severity == "error"


def test_units_seen_in_few_places_are_not_called_dead() -> None:
    """Eight samples cannot tell a dead unit from a shy one."""
    with seeded():
        model = start(mlp(3, 64, nn.ReLU), nn.init.kaiming_normal_)
    report = diagnose(model, noise(8, 64))
    assert next(c for c in report.criteria if c.name == "dead units").value is None


def test_the_squeeze_of_a_gate_is_not_dead() -> None:
    class Squeeze(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16)
            self.down, self.up, self.head = nn.Linear(16, 8), nn.Linear(8, 16), nn.Linear(16, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.bn(self.conv(x)))
            gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
            return self.head((x * gate[:, :, None, None]).mean((2, 3)))

    with seeded():
        assert diagnose(Squeeze(), noise(4, 3, 16, 16)).verdict == "healthy"


def test_saturated_units() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.Tanh), lambda w: nn.init.normal_(w, std=1.0))
    found = next(f for f in diagnose(model, noise(64, 64)).findings if f.code == "IN402")
    assert found.severity == "warning"
    assert "tanh" in found.seen


def test_sound_bounded_units_are_silent() -> None:
    with seeded():
        model = start(mlp(2, 64, nn.Tanh), nn.init.xavier_normal_)
    assert "IN402" not in codes(diagnose(model, noise(64, 64)))


class Unrolled(nn.Module):
    """A state that is zero at first and goes through rectified units again and again."""

    def __init__(self, dead: bool) -> None:
        super().__init__()
        self.take, self.read = nn.Linear(16, 64), nn.Linear(64, 64)
        nn.init.constant_(self.read.bias, -30.0 if dead else -0.01)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), 64)
        for _ in range(3):
            state = self.take(x) + self.read(state).relu()
        return state


def test_units_are_not_called_dead_for_what_they_make_of_a_constant_state() -> None:
    """At zeros a unit of negative bias is silent; at the inputs it is not."""
    with seeded():
        assert "IN401" not in codes(diagnose(Unrolled(dead=False), noise(64, 16)))
        assert "IN401" in codes(diagnose(Unrolled(dead=True), noise(64, 16)))
