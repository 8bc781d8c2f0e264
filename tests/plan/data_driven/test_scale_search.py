"""The two descents, step by step, on objectives that are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from initium import plan
from initium.errors import ModelRunError
from initium.plan.data_driven.differentiable_run import DifferentiableRun
from initium.plan.data_driven.objectives import Reading
from initium.plan.data_driven.scale_search import Search, search

X = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
NORM = 5.0
"""Length of both weights."""


def net() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False))
    with torch.no_grad():
        for one in model.parameters():
            one.mul_(NORM / one.norm())
    return model


class Given:
    """A baseline of which the search reads the method, the run and the names; it keeps the factors found."""

    tuned = ("0.weight", "2.weight")

    def __init__(self, method: str, objective: Any, monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
        from types import SimpleNamespace

        from initium.plan.data_driven import scale_search as home

        monkeypatch.setitem(home.OBJECTIVES, method, lambda number: objective)
        self.method = SimpleNamespace(name=method)
        self.run = SimpleNamespace(model=net(), inputs=X, forward=None, loss=lambda out: out.mean(), seed=0)
        self.values = values
        self.factors: dict[str, float] = {}

    def scaled(self, factors: dict[str, float]) -> tuple[()]:
        self.factors = factors
        return ()


def lengths(run: DifferentiableRun) -> list[float]:
    return [run.parameters[name].norm().item() / NORM for name in Given.tuned]


def test_the_sign_descent_moves_norms_by_the_rate_with_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of lr = .1 on norms of 5, memory .5: 1 - (.1 + .15 + .175) / 5 down, and the same up."""
    seen: list[list[float]] = []

    def read(run: DifferentiableRun, names: tuple[str, ...], turn: int) -> Reading:
        seen.append(lengths(run))
        return Reading("o", 1.0, [3.0, -0.01])

    baseline = Given("metainit", read, monkeypatch, lr=0.1, momentum=0.5, steps=3)
    search(baseline)  # type: ignore[arg-type]
    moves = [0.0, 0.1, 0.25, 0.425]
    flat = [value for pair in seen for value in pair]
    assert flat[:8] == pytest.approx([side for one in moves for side in (1 - one / 5, 1 + one / 5)])
    assert list(baseline.factors.values()) == pytest.approx([1 - 0.085, 1 + 0.085])
    # then the two values of the note, at the start and at the end, on noise that no step has used
    assert flat[8:] == pytest.approx([1, 1, 1 - 0.085, 1 + 0.085])


# the two values of the note, on unseen noise


def test_adam_moves_scales_as_torchs_own_does_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """(log s)^2-like bowls at s = .8 and 1.1, by Adam on s with the slope along log s over s."""
    goals = (0.8, 1.1)

    def read(run: DifferentiableRun, names: tuple[str, ...], turn: int) -> Reading:
        scales = lengths(run)
        slopes = [2 * s * (s - goal) for s, goal in zip(scales, goals, strict=True)]
        return Reading("o", sum((s - goal) ** 2 for s, goal in zip(scales, goals, strict=True)), slopes)

    baseline = Given("gradinit", read, monkeypatch, lr=0.02, steps=12, min_scale=0.01)
    _, notes = search(baseline)  # type: ignore[arg-type]
    scales = torch.ones(2, requires_grad=True)
    adam, values = torch.optim.Adam([scales], lr=0.02), []
    for _ in range(13):
        loss = ((scales - torch.tensor(goals)) ** 2).sum()
        values.append((loss.item(), scales.tolist()))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert list(baseline.factors.values()) == pytest.approx(min(values)[1], rel=1e-4)
    assert len(notes) == 1


@pytest.mark.parametrize(("given", "least"), [({"min_scale": 0.3}, 0.3), ({}, 1e-3)])
def test_scales_stop_at_their_least(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, float], least: float
) -> None:
    def read(run: DifferentiableRun, names: tuple[str, ...], turn: int) -> Reading:
        return Reading("o", lengths(run)[0], [1.0, 1.0])

    baseline = Given("nio", read, monkeypatch, lr=0.5, steps=10, **given)
    search(baseline)  # type: ignore[arg-type]
    assert list(baseline.factors.values()) == pytest.approx([least, least], rel=1e-3)


def test_a_norm_is_never_stepped_through_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline = Given(
        "metainit", lambda *_: Reading("o", 1.0, [1.0, -1.0]), monkeypatch, lr=9.0, momentum=0.0, steps=2
    )
    search(baseline)  # type: ignore[arg-type]
    assert list(baseline.factors.values()) == pytest.approx([1e-3, 1 + 18 / 5])


def test_the_best_is_the_first_of_what_was_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([3.0, 2.0, 2.5, float("nan"), 0.0])

    def read(run: DifferentiableRun, names: tuple[str, ...], turn: int) -> Reading:
        return Reading("o", next(values), [1.0, 1.0])

    baseline = Given("nio", read, monkeypatch, lr=0.1, steps=10)
    search(baseline)  # type: ignore[arg-type]
    assert list(baseline.factors.values()) == pytest.approx([0.9, 0.9], rel=1e-4)  # after one step of Adam
    assert next(values) == 0.0  # nothing was read after the nan
    broken = Given("nio", lambda *_: Reading("o", float("nan"), [0.0, 0.0]), monkeypatch, lr=0.1, steps=1)
    with pytest.raises(ModelRunError, match="nio is not finite"):
        search(broken)  # type: ignore[arg-type]


def test_a_state_writes_the_start_times_the_scale() -> None:
    model = net()
    run = DifferentiableRun(model, X, None, None, 0)
    starts = {name: run.parameters[name].detach().clone() for name in Given.tuned}
    state = Search(run, starts, lambda *_: Reading("o", 0.0, []), [1.0, 1.0])
    for scales in ([0.3, 7.0], [2.0, 0.1]):
        state.at(scales, 0)
        for (name, start), scale in zip(starts.items(), scales, strict=True):
            assert torch.equal(run.parameters[name].detach(), start * scale)


def test_the_factors_are_the_scales_of_the_plan() -> None:
    made = plan(net(), X, policy="nio:steps=2,lr=0.05")
    assert {round(one.scale, 4) for one in made} != {1.0}
    assert all(0.85 < one.scale < 1.15 for one in made)  # two steps of at most .05 each
