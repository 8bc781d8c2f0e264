from __future__ import annotations

import math

from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import nn

from initium.diagnose import diagnose


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
