"""What health is measured by, against the same quantity computed from the tensors themselves."""

from __future__ import annotations

import math

import pytest
import torch
from tests.nets import Applied, noise
from torch import Tensor, nn
from torch.nn import functional as F

from initium import record
from initium.diagnose.measures import Measures


def measured(model: nn.Module, x: Tensor) -> Measures:
    return Measures(record(model, x))


def apart(features: Tensor) -> float:
    """The share of E x^2 that differs from sample to sample: variance over the batch, mean over the features."""
    flat = features.detach().flatten(1)
    return float(flat.var(0).mean() / flat.square().mean())


def test_samples_are_compared_where_the_head_reads_them() -> None:
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Linear(8, 64), nn.ReLU()), nn.Linear(64, 5)
    x = noise(12, 8)
    found = measured(nn.Sequential(body, head), x)
    assert found.between == pytest.approx(apart(body(x)), rel=1e-4)
    assert measured(nn.Sequential(body, head), x[:1]).between is None


def test_samples_are_compared_before_they_are_pooled_too() -> None:
    """Means over 256 places of noise are all alike; the maps are not."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    pool, head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(8, 5)
    x = noise(8, 3, 16, 16)
    maps = body(x)
    found = measured(nn.Sequential(body, pool, head), x).between
    assert apart(pool(maps)) < 0.1 * apart(maps)
    assert found == pytest.approx(apart(maps), rel=1e-3)


def test_the_best_head_counts() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.one, self.two = (nn.Linear(8, 8) for _ in range(4))
            nn.init.constant_(self.b.bias, 100.0)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.one(self.a(x)), self.two(self.b(x))

    model, x = Two(), noise(12, 8)
    shares = apart(model.a(x)), apart(model.b(x))
    assert shares[1] < 0.01 * shares[0]
    assert measured(model, x).between == pytest.approx(shares[0], rel=1e-4)


@pytest.mark.parametrize("offset", [0.0, -4.6, 9.0, 50.0])
def test_the_size_of_an_output_is_its_spread_but_where_its_offset_is_huge(offset: float) -> None:
    model, x = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 5)), noise(12, 8)
    nn.init.constant_(model[2].bias, offset)
    out = model(x).detach()
    rms = float(out.square().mean().sqrt())
    assert measured(model, x).output_rms == pytest.approx(
        rms if rms > 10 else float(out.std(correction=0)), rel=1e-4
    )


@pytest.mark.parametrize("dead", [0, 3, 16])
def test_units_that_are_zero_for_every_sample_are_dead(dead: int) -> None:
    """Two rectified layers of 16 and 8 units; of the first some get a bias far below zero."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        model[0].bias[:dead] = -100.0
        model[2].bias.fill_(1.0)
    x = noise(64, 8)
    first = model[1](model[0](x))
    second = model[3](model[2](first))
    silent = sum(int((layer == 0).all(0).sum()) for layer in (first, second))
    found = measured(model, x)
    assert found.dead == pytest.approx(silent / 24)
    assert silent >= dead
    assert [node.units for node in found.rectified] == [16, 8]


def test_units_that_were_looked_at_in_too_few_places_are_not_judged() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    assert measured(model, noise(31, 8)).dead is None
    assert measured(model, noise(32, 8)).dead is not None
    assert measured(nn.Sequential(nn.Linear(8, 1), nn.ReLU(), nn.Linear(1, 2)), noise(64, 8)).dead is None


@pytest.mark.parametrize("activation", [nn.GELU, nn.Tanh, nn.LeakyReLU])
def test_units_that_cannot_die_are_not_asked(activation: type[nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(8, 16), activation(), nn.Linear(16, 2))
    nn.init.constant_(model[0].bias, -50.0)
    assert measured(model, noise(64, 8)).dead is None


def test_weights_without_gradient_are_counted_by_elements() -> None:
    """The layer before a dead one and the dead one itself: 8 * 16 + 16 * 4 of all elements."""
    model = nn.Sequential(
        nn.Linear(8, 16),
        nn.ReLU(),
        nn.Linear(16, 4),
        nn.ReLU(),
        nn.Linear(4, 32),
        nn.ReLU(),
        nn.Linear(32, 2),
    )
    nn.init.constant_(model[2].bias, -100.0)
    found = measured(model, noise(64, 8))
    sizes = {name: p.numel() for name, p in model.named_parameters() if p.dim() > 1}
    without = {name for name, p in model.named_parameters() if p.dim() > 1 and _gradient(model, p) == 0}
    assert without == {"0.weight", "2.weight", "4.weight"}
    assert {part.name for part in found.without_gradient} == without
    assert found.zero_gradient == pytest.approx(sum(sizes[name] for name in without) / sum(sizes.values()))


def _gradient(model: nn.Module, parameter: Tensor) -> float:
    out = model(noise(64, 8))
    return float(torch.autograd.grad((out * noise(*out.shape, seed=4)).sum(), parameter)[0].abs().max())


def test_zeros_that_open_with_the_first_step_excuse_what_they_hide() -> None:
    """A zero end of a branch keeps the gradient from the branch until it has moved."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.a, self.b, self.head = (nn.Linear(8, 8) for _ in range(4))
            nn.init.zeros_(self.b.weight)

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            return self.head(x + self.b(F.relu(self.a(x))))

    model = Block()
    assert _gradient(model, model.a.weight) == 0.0
    assert measured(model, noise(64, 8)).zero_gradient == 0.0


def test_rows_that_stay_equal_are_twins() -> None:
    """Of a layer with constant rows, read alike by the next, every row stays as another; elements are counted."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    plain = measured(model, noise(64, 8))
    assert (plain.duplicate_share, plain.duplicate_weights) == (0.0, ())
    with torch.no_grad():
        model[0].weight.copy_(model[0].weight[:1].expand(16, -1))
        model[0].bias.zero_()
        model[2].weight.copy_(model[2].weight[:, :1].expand(-1, 16))
    found = measured(model, noise(64, 8))
    grad = torch.autograd.grad(model(noise(64, 8)).square().sum(), model[0].weight)[0]
    assert torch.allclose(grad, grad[:1].expand(16, -1))
    assert [info.name for info in found.duplicate_weights] == ["0.weight"]
    assert found.duplicate_share == pytest.approx(8 * 16 / (8 * 16 + 16 * 4))


def test_frozen_rows_are_nobodys_fault() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    nn.init.ones_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    nn.init.ones_(model[2].weight)
    model[0].weight.requires_grad_(False)
    assert "0.weight" not in [info.name for info in measured(model, noise(64, 8)).duplicate_weights]


def test_operations_that_are_not_finite_are_counted() -> None:
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c, self.d = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.b(self.a(x)), self.d(Applied(lambda y: y / 0.0)(self.c(x)).detach())

    found = Measures(record(Breaks(), noise(16, 8), loss=lambda outputs: outputs[0].sum()))
    bad = [node.module for node in found.broken]
    assert bad == ["d"]
    assert found.not_finite == pytest.approx(1 / 4)
    assert measured(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), noise(16, 8)).not_finite == 0.0


def test_a_loss_that_is_not_finite_is_all_that_counts() -> None:
    seen = record(nn.Linear(8, 8), noise(16, 8), loss=lambda y: y.sum() * math.inf)
    assert Measures(seen).not_finite == 1.0
