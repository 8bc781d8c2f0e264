from __future__ import annotations

import pytest
import torch
from tests.nets import noise, seeded
from torch import Tensor, nn

from initium import diagnose, init_, plan
from initium.plan.remedies import SHIFTS, shift_for
from initium.theory.criticality import rates


def normed(depth: int, width: int = 32) -> nn.Sequential:
    """Batch norm and ReLU in turn: gradients grow by 0.083 decades a layer on their way back."""
    layers = [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
    with seeded():
        made = [nn.Linear(width, width) if i % 3 == 0 else layers[i % 3].__class__(*([width] if i % 3 == 1 else []))
                for i in range(3 * depth)]  # fmt: skip
        return nn.Sequential(*made, nn.Linear(width, 4))


def test_the_shift_is_the_least_that_theory_asks_for():
    for share in (0.9, 0.6, 0.4, 0.1):
        shift = shift_for("relu", share)
        plain = rates("relu", 1.0).bend
        assert rates(lambda z, s=shift: torch.relu(z + s), 1.0).bend <= share * plain
        before = SHIFTS[SHIFTS.index(shift) - 1] if shift > SHIFTS[0] else 0.0
        assert rates(lambda z, s=before: torch.relu(z + s), 1.0).bend > share * plain


@pytest.mark.parametrize("kind", ["tanh", "sin", "identity", "no such function"])
def test_what_bends_most_away_from_zero_is_not_shifted(kind):
    assert shift_for(kind, 0.5) == 0.0


def test_norm_shifts_hold_gradients_down_where_no_weight_can():
    model = normed(48)
    x = noise(128, 32)
    before = diagnose(model, x)
    assert "IN202" in {finding.code for finding in before.findings if finding.severity == "error"}
    made = plan(model, x)
    assert (made.chosen, made.verdict != "unhealthy") == ("shifted", True)
    moved = [one for one in made if one.rule == "shift"]
    assert {one.role for one in moved} == {"norm_shift"}
    assert len({one.params["value"] for one in moved}) == 1
    made.apply(model)
    assert diagnose(model, x).healthy


def test_a_net_within_its_limits_is_not_shifted():
    model = normed(8)
    assert plan(model, noise(128, 32)).chosen != "shifted"


class Scaled(nn.Module):
    """A tiny factor on a path, with or without a skip around it."""

    def __init__(self, *, skip: bool) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)
        self.factor, self.skip = nn.Parameter(torch.full((32,), 1e-5)), skip

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        y = self.factor * torch.relu(self.second(x))
        return self.third(x + y if self.skip else y)


def test_a_factor_that_the_whole_signal_goes_through_is_opened():
    with seeded():
        lost, kept = Scaled(skip=False), Scaled(skip=True)
    x = noise(64, 16)
    assert not diagnose(lost, x).healthy
    assert init_(lost, x).verdict == "healthy"
    assert (lost.factor == 1).all()
    init_(kept, x)
    torch.testing.assert_close(kept.factor.detach(), torch.full((32,), 1e-5))


class Token(nn.Module):
    """A class token before the parts of an input, the answer read off it."""

    def __init__(self, *, normed: bool) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 32) * 1e-3)
        self.embed, self.mix, self.head = nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, 4)
        self.norm: nn.Module = nn.LayerNorm(32) if normed else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(torch.cat([self.token.expand(len(x), -1, -1), self.embed(x)], 1))
        shares = torch.softmax(x @ x.transpose(1, 2) / 32**0.5, -1)
        return self.head(torch.relu(self.mix(x + shares @ x))[:, 0])


def test_a_faint_token_is_drawn_anew_only_where_no_norm_follows():
    x = noise(64, 5, 8)
    for normed in (True, False):
        with seeded():
            model = Token(normed=normed)
            nn.init.normal_(model.mix.weight, std=1e-4)  # unsound, so that something is to be mended
        before = model.token.detach().clone()
        assert init_(model, x).verdict == "healthy"
        assert torch.equal(model.token.detach(), before) == normed


def test_norm_gains_drawn_around_zero_are_set_anew():
    with seeded():
        model = nn.Sequential(
            nn.Linear(16, 32), nn.LayerNorm(32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4)
        )
        nn.init.normal_(model[1].weight, std=0.01)
    x = noise(64, 16)
    assert init_(model, x).verdict == "healthy"
    assert (model[1].weight == 1).all()


class Shared(nn.Module):
    """Branches around one layer, under one name a place, with no norm: its gain is compounded."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.stem = nn.Linear(16, 32)
        layer = nn.Linear(32, 32)
        self.places = nn.ModuleList([layer] * times)
        self.head = nn.Linear(32, 4)
        nn.init.normal_(layer.weight, std=1.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for place in self.places:
            x = x + place(x)
        return self.head(x)


def test_a_layer_at_several_places_is_scaled_for_all_of_them():
    with seeded():
        model = Shared(10)
    x = noise(64, 16)
    assert not diagnose(model, x).healthy
    assert init_(model, x).verdict == "healthy"
    assert plan(model, x)["places.0.weight"].rule != "tied"
