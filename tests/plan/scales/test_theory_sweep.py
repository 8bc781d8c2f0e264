"""Scales by theory: every weight that has a target is predicted to meet it, and Monte Carlo agrees."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from tests.nets import mlp, noise
from torch import Tensor, nn

from initium import record
from initium.plan.scales.theory_sweep import PredictedTarget, Scaling
from initium.predict.signal import Weights
from initium.record import Record

WIDTH = 256


def swept(model: nn.Module, x: Tensor, targets: dict[str, PredictedTarget]) -> tuple[Scaling, Record]:
    seen = record(model, x)
    scaling = Scaling(seen, {}, targets)
    scaling.run()
    return scaling, seen


def to(value: float) -> PredictedTarget:
    return lambda _: value


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh, nn.GELU])
def test_predicted_and_measured_second_moments_meet_their_targets(act: Callable[[], nn.Module]) -> None:
    """With the factors in the weights, a fresh net of that width measures them: each up to its sampling error.

    n units and a batch in r independent directions leave E z^2 a relative variance of 2 / n per layer before it, and
    at worst all of them; five standard errors.
    """
    torch.manual_seed(1)
    model, x = mlp(3, WIDTH, act), noise(64, WIDTH)
    names = ["0.weight", "2.weight", "4.weight", "6.weight"]
    wanted = dict(zip(names, (2.0, 0.5, 1.0, 3.0), strict=True))
    scaling, seen = swept(model, x, {name: to(value) for name, value in wanted.items()})
    assert set(scaling.factors) == set(names)
    for name in names:
        site = seen.parts[name].nodes[0]
        bias = seen.parameter(name.replace("weight", "bias")).second
        assert scaling.signals[site].second == pytest.approx(wanted[name] + bias, rel=1e-6)
    with torch.no_grad():
        for name, factor in scaling.factors.items():
            model.get_parameter(name).mul_(factor)
    again = record(model, x)
    for depth, name in enumerate(names, 1):
        moments = again.nodes[again.parts[name].nodes[0]].forward
        assert moments is not None
        units = 10 if name == "6.weight" else WIDTH
        assert moments.second == pytest.approx(
            wanted[name], rel=5 * math.sqrt(5 * depth / WIDTH / 4 + 2 / units / 16)
        )


def test_a_target_may_ask_for_the_signals_so_far() -> None:
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU(), nn.Linear(64, 64, bias=False))
    first = 1
    scaling, seen = swept(
        model, noise(32, 64), {"0.weight": to(4.0), "2.weight": lambda signals: signals[first].second / 8}
    )
    assert seen.parts["0.weight"].nodes == (first,)
    assert [scaling.signals[i].second for i in (1, 3)] == pytest.approx([4.0, 0.5])


def test_a_weight_without_a_target_stays_as_it_was_drawn() -> None:
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU(), nn.Linear(64, 64, bias=False))
    seen = record(model, noise(32, 64))
    scaling = Scaling(seen, {"2.weight": Weights(3.0 / 64)}, {"0.weight": to(2.0)})
    scaling.run()
    assert set(scaling.factors) == {"0.weight"}
    assert scaling.signals[3].second == pytest.approx(3.0, rel=1e-3)  # half of 2 reaches it


def test_a_weight_that_is_used_twice_is_scaled_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 16, bias=False), nn.Linear(16, 16, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).relu()) + self.b(self.a(2 * x).relu())

    model, x = Twice(), noise(16, 16)
    second = float(x.square().mean())
    drawn = record(model, x).parameter("a.weight").second
    scaling, _ = swept(model, x, {"a.weight": to(4.0)})
    assert scaling.factors["a.weight"] == pytest.approx(math.sqrt(4.0 / (16 * drawn * second)), rel=1e-6)


def test_what_theory_does_not_speak_of_has_no_factor() -> None:
    """A weight that gets nothing, or one with many zeros: named, and left as it is."""

    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x) * 0.0)

    scaling, seen = swept(Dead(), noise(8, 16), {"a.weight": to(1.0), "b.weight": to(1.0)})
    assert set(scaling.factors) == {"a.weight"}
    assert seen.parts["b.weight"].nodes[0] in scaling.restarts
    sparse = nn.Linear(16, 16)
    nn.init.sparse_(sparse.weight, 0.5)
    scaling, _ = swept(
        nn.Sequential(sparse, nn.ReLU(), nn.Linear(16, 16)), noise(8, 16), {"0.weight": to(1.0)}
    )
    assert scaling.factors == {}
