from __future__ import annotations

import math

import pytest
from tests.nets import mlp, noise, seeded, start

from initium.diagnose import Criterion
from initium.diagnose.criteria import _used, badness_of, criteria_of
from initium.diagnose.measures import Measures
from initium.record import record


@pytest.mark.parametrize(
    ("value", "limit", "scale", "used"),
    [
        (1e-3, 1e-3, "decades", 1.0),
        (1e-6, 1e-3, "decades", 2.0),
        (1.0, 1e-3, "decades", 0.0),
        (50.0, 1e-3, "decades", 0.0),
        (0.0, 1e-3, "decades", math.inf),
        (1e3, 1e3, "decades", 1.0),
        (math.inf, 1e3, "decades", math.inf),
        (0.5, 1e3, "decades", 0.0),
        (0.0, 1e3, "decades", 0.0),
        (1.25, 2.5, "share", 0.5),
        (math.inf, 2.5, "share", math.inf),
        (0.0, 0.0, "none", 0.0),
        (0.1, 0.0, "none", math.inf),
    ],
)
def test_how_much_of_a_limit_is_used(value: float, limit: float, scale: str, used: float) -> None:
    assert _used(value, limit, scale) == pytest.approx(used)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("used", "level", "badness"),
    [(0.0, "good", 0.0), (0.5, "good", 0.0), (0.75, "good", 0.5), (0.96, "warning", 0.92), (1.5, "error", 2.0),
     (math.inf, "error", 10.0), (None, "unknown", 0.0)],
)  # fmt: skip
def test_levels_and_badness(used: float | None, level: str, badness: float) -> None:
    one = Criterion("a", "b", 0.0, 1.0, used)
    assert one.level == level
    assert one.badness == pytest.approx(badness)


def test_badness_is_at_least_one_beyond_a_limit() -> None:
    assert badness_of([Criterion("a", "b", 0.0, 1.0, 1.0001), Criterion("c", "d", 0.0, 1.0, 0.2)]) >= 1.0


def test_badness_grows_with_the_fault() -> None:
    from torch import nn

    values = []
    for std in (0.3, 0.1, 0.03, 0.01):
        with seeded():
            model = start(mlp(10, 32, nn.ReLU), lambda w, std=std: nn.init.normal_(w, std=std))
        values.append(badness_of(criteria_of(Measures(record(model, noise(64, 32))))))
    assert values == sorted(values)
    assert values[0] < 0.6 < 1.0 < values[-1]
