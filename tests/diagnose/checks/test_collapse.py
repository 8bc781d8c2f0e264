from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import Tensor, nn
from torch.nn import functional as F

from initium.diagnose import diagnose
from initium.diagnose.checks.collapse import check_collapse
from initium.diagnose.checks.units import check_units
from initium.diagnose.health import report_of
from initium.diagnose.measures import Measures
from initium.diagnose.trunk import TrunkPoint
from initium.record import record


def test_a_net_that_forgets_its_input() -> None:
    with seeded():
        report = diagnose(mlp(20, 32, nn.Sigmoid), noise(32, 32))
    found = next(f for f in report.findings if f.code == "IN501")
    assert found.severity == "error"
    assert int(found.where[0].split(".")[0]) < 10  # it begins early


def test_pooled_noise_is_no_collapse() -> None:
    """Large noise images are all alike after pooling, whatever the weights."""
    with seeded():
        model = start(plain_conv(4, 16), nn.init.kaiming_normal_)
    assert "IN501" not in {f.code for f in diagnose(model, noise(4, 3, 48, 48)).findings}


def test_one_sample_cannot_tell() -> None:
    with seeded():
        report = diagnose(mlp(3, 32, nn.ReLU), noise(1, 32))
    assert next(c for c in report.criteria if c.name == "between samples").level == "unknown"
    assert all(math.isnan(point.between) for point in report.measures)
    assert "IN501" not in {f.code for f in report.findings}


class Alike(nn.Module):
    """Features that hardly depend on the sample, of which more than half are zero for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 64), nn.Linear(64, 64), nn.Linear(64, 5)
        with torch.no_grad():
            self.first.weight.mul_(1e-3)
            self.first.bias.fill_(1.0)
            self.second.bias.zero_()
            self.second.bias[:40] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.second(F.relu(self.first(x)))))


def test_dead_units_are_explained_by_samples_that_are_all_alike() -> None:
    """A unit is zero for every sample because all samples are one: one cause, one finding."""
    with seeded():
        model = Alike()
    seen = record(model, noise(64, 16))
    measures = Measures(seen)
    assert [one.code for one in check_collapse(measures)] == ["IN501"]
    assert "IN401" in [one.code for one in check_units(measures)]
    told = {one.code for one in report_of(seen).findings}
    assert "IN501" in told
    assert "IN401" not in told


def test_dead_units_of_a_net_that_tells_samples_apart_are_told() -> None:
    with seeded():
        model = Alike()
    nn.init.kaiming_normal_(model.first.weight)
    told = {one.code for one in diagnose(model, noise(64, 16)).findings}
    assert "IN401" in told
    assert "IN501" not in told


def point(depth: int, between: float) -> TrunkPoint:
    return TrunkPoint(depth, depth, "", (f"{depth}.weight",), 1.0, None, None, between)


@pytest.mark.parametrize(
    ("share", "severity"), [(0.9e-3, "error"), (1.1e-3, "warning"), (2.9e-3, "warning"), (3.1e-3, None)]
)
def test_how_bad_it_is_depends_on_the_share_that_is_left(share: float, severity: str | None) -> None:
    measures: Any = SimpleNamespace(
        between=share, broken=(), points=(point(1, share),), record=SimpleNamespace(parts={})
    )
    assert [one.severity for one in check_collapse(measures)] == ([severity] if severity else [])


def test_it_begins_where_samples_are_alike_for_good() -> None:
    """A point that tells them apart again makes all before it innocent."""
    points = tuple(point(depth, between) for depth, between in enumerate([0.5, 1e-4, 0.2, 1e-3, 1e-4, 1e-4]))
    measures: Any = SimpleNamespace(between=1e-4, broken=(), points=points, record=SimpleNamespace(parts={}))
    (found,) = check_collapse(measures)
    assert found.where == ("3.weight",)
