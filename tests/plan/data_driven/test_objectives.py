"""The three objectives on models whose gradients are known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from initium.plan.data_driven.differentiable_run import DifferentiableRun
from initium.plan.data_driven.objectives import Reading, gradinit, metainit, nio

CURVES = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
WEIGHTS = torch.tensor([1.5, -0.7, 0.4], dtype=torch.float64)


class Bowl(nn.Module):
    """Half of the sum of a w^2: gradient a w, Hessian diag(a); whatever the inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(WEIGHTS.clone())

    def forward(self, x: Tensor) -> Tensor:
        return (CURVES * self.w**2).sum() / 2 + 0 * x.sum()


class Lines(nn.Module):
    """One output a sample, <w, x>."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([2.0, 0.5], dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w


def bowl() -> DifferentiableRun:
    return DifferentiableRun(Bowl(), torch.ones(4, 1, dtype=torch.float64), None, lambda output: output, 0)


def lines(x: Tensor) -> DifferentiableRun:
    return DifferentiableRun(Lines(), x, None, lambda output: output.mean(), 0)


def slope_by_differences(objective, run: DifferentiableRun, value) -> float:  # type: ignore[no-untyped-def]
    start, step, found = run.parameters["w"].detach().clone(), 1e-5, []
    for sign in (1, -1):
        run.parameters["w"].detach().copy_(start * math.exp(sign * step))
        found.append(value(objective(run, ("w",), 0)))
    run.parameters["w"].detach().copy_(start)
    return float((found[0] - found[1]) / (2 * step))


def test_metainit_of_a_bowl_is_its_mean_curvature() -> None:
    """(g - Hg) / g - 1 = -a for g = a w, and epsilon moves it by epsilon / |a w| of itself at most."""
    read = metainit({"epsilon": 1e-9})(bowl(), ("w",), 0)
    assert read.value == pytest.approx(CURVES.mean().item(), rel=1e-6)
    assert read.slopes == pytest.approx([0.0], abs=1e-6)  # the same at every scale
    coarse, g = metainit({"epsilon": 0.2})(bowl(), ("w",), 0), CURVES * WEIGHTS
    expected = ((g - CURVES * g) / (g + 0.2 * g.sign()) - 1).abs().mean().item()
    assert coarse.value == pytest.approx(expected)
    assert coarse.slopes[0] == pytest.approx(
        slope_by_differences(metainit({"epsilon": 0.2}), bowl(), lambda one: one.value), rel=1e-5
    )
    assert (coarse.norm, coarse.bound) == (0.0, math.inf)


@pytest.mark.parametrize("p", [1, 2])
def test_gradinit_is_the_loss_after_a_step(p: int) -> None:
    """L(w - eta a w) for p = 2, L(w - eta sign(a w)) for p = 1, and the p-norm of a w."""
    number, run = {"eta": 0.1, "norm": p, "gamma": 100.0}, bowl()
    g = CURVES * WEIGHTS
    moved = WEIGHTS - 0.1 * (g.sign() if p == 1 else g)
    read = gradinit(number)(run, ("w",), 0)
    assert read.value == pytest.approx((CURVES * moved**2).sum().item() / 2)
    assert read.norm == pytest.approx(torch.linalg.vector_norm(g, ord=p).item())
    assert read.bound == 100.0
    assert torch.equal(run.parameters["w"].detach(), WEIGHTS)
    assert read.slopes[0] == pytest.approx(
        slope_by_differences(gradinit(number), run, lambda one: one.value), rel=1e-5
    )


def test_gradinit_beyond_its_bound_follows_the_norm() -> None:
    number = {"eta": 0.1, "norm": 2, "gamma": 0.5}
    read = gradinit(number)(bowl(), ("w",), 0)
    norm = torch.linalg.vector_norm(CURVES * WEIGHTS).item()
    assert read.slopes == pytest.approx([norm])  # d |a s w| / d log s
    assert read.rank == pytest.approx((norm - 0.5, read.value))


@pytest.mark.parametrize("gamma", [1e9, 0.5])
def test_nio_is_one_minus_the_mean_cosine(gamma: float) -> None:
    """Gradients of the three groups are the means of their inputs; the norm is the largest of theirs."""
    x = torch.tensor([[1.0, 0], [3, 0], [0, 1], [0, 1], [2, 2], [0, 0]], dtype=torch.float64)
    read = nio({"groups": 3, "norm": 2, "gamma": gamma})(lines(x), ("w",), 0)
    groups = [x[:2].mean(0), x[2:4].mean(0), x[4:].mean(0)]
    cosines = [
        torch.cosine_similarity(groups[i], groups[j], dim=0).item() for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    assert read.value == pytest.approx(1 - sum(cosines) / 3)
    assert read.norm == pytest.approx(2.0)
    assert (read.norm > read.bound) == (gamma < 1)
    assert read.slopes == pytest.approx([0.0], abs=1e-9)  # these gradients do not depend on w


def test_equal_groups_have_no_angle_and_opposite_ones_the_largest() -> None:
    same = torch.tensor([[1.0, 2], [1, 2]], dtype=torch.float64)
    assert nio({"groups": 2, "norm": 2, "gamma": 9})(lines(same), ("w",), 0).value == pytest.approx(
        0, abs=1e-9
    )
    apart = same * torch.tensor([[1.0], [-3]])
    assert nio({"groups": 2, "norm": 2, "gamma": 9})(lines(apart), ("w",), 0).value == pytest.approx(2)


def test_readings_within_the_bound_come_first() -> None:
    far, near, low = (
        Reading("r", 0.1, [], 5.0, 1.0),
        Reading("r", 9.0, [], 2.0, 1.0),
        Reading("r", 3.0, [], 0.5, 1.0),
    )
    assert sorted([far, near, low], key=lambda one: one.rank) == [low, near, far]
    assert min(low, Reading("r", 2.0, [], 0.9, 1.0), key=lambda one: one.rank).value == 2.0
    assert low.finite
    assert not Reading("r", 3.0, [math.nan]).finite
    assert not Reading("r", 3.0, [], math.inf).finite
    assert "bound" in str(low)
    assert "bound" not in str(Reading("r", 3.0, []))
