from __future__ import annotations

import math

import pytest
import torch

from initium.errors import UsageError
from initium.theory.meanfield import edge_of_chaos


@pytest.mark.parametrize(("variance", "expected"), [(0.05, 1.76), (2.01e-5, 1.05)])
def test_tanh_has_the_published_points(variance, expected):
    assert edge_of_chaos("tanh", math.sqrt(variance)).sigma_w ** 2 == pytest.approx(expected, abs=0.005)


def test_homogeneous_functions_are_critical_everywhere_without_biases():
    assert edge_of_chaos("relu", 0.0).sigma_w == pytest.approx(math.sqrt(2))
    assert edge_of_chaos(lambda x: torch.where(x > 0, x, 0.3 * x), 0.0).sigma_w ** 2 == pytest.approx(
        2 / 1.09
    )
    with pytest.raises(UsageError, match="sigma_b = 0"):
        edge_of_chaos("relu", 0.1)


def test_a_net_on_the_edge_keeps_its_gradient():
    """20 layers of width 400: the gradient's mean square stays within a factor of two; chi^20 would not."""
    point = edge_of_chaos("gelu", 0.3)
    generator = torch.Generator().manual_seed(0)
    x = (torch.randn(64, 400, generator=generator) * math.sqrt(point.q)).requires_grad_()
    h = x
    for _ in range(20):
        weight = torch.randn(400, 400, generator=generator) * point.sigma_w / 20
        h = torch.nn.functional.gelu(h) @ weight + point.sigma_b * torch.randn(400, generator=generator)
    dz = torch.randn(h.shape, generator=generator)
    (dx,) = torch.autograd.grad(h, x, dz)
    assert dx.square().mean().item() == pytest.approx(1, rel=0.5)
    assert h.square().mean().item() == pytest.approx(point.q, rel=0.3)
