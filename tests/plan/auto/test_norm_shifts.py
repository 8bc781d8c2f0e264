from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import noise, seeded
from torch import Tensor, nn

from initium import diagnose, init_, plan, record, repair_
from initium.diagnose import HealthReport
from initium.plan.auto import norm_shifts
from initium.plan.auto.norm_shifts import gradient_span, shifted
from initium.plan.everywhere.shipped_policy import as_shipped
from initium.plan.policy import Run


def normed(depth: int, width: int = 32) -> nn.Sequential:
    """Batch norm and ReLU in turn: gradients grow by 0.083 decades a layer on their way back."""
    layers = [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
    with seeded():
        made = [nn.Linear(width, width) if i % 3 == 0 else layers[i % 3].__class__(*([width] if i % 3 == 1 else []))
                for i in range(3 * depth)]  # fmt: skip
        return nn.Sequential(*made, nn.Linear(width, 4))


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


def test_a_repair_of_such_a_net_touches_norm_shifts_only():
    model = normed(48)
    x = noise(128, 32)
    found = next(one for one in diagnose(model, x).findings if one.code == "IN202")
    assert "norm shifts" in found.remedy
    assert found.rule is None
    receipt = repair_(model, x)
    assert receipt.verdict != "unhealthy"
    assert set(receipt.written) == {f"{3 * index + 1}.bias" for index in range(47)}


def test_a_shallow_net_is_not_shifted():
    model = normed(8)
    assert plan(model, noise(128, 32)).chosen != "shifted"


class Swish(nn.Module):
    """Written by hand: no operation has its name."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.7 * x)


@pytest.mark.parametrize(
    "function", [nn.ReLU(), nn.ReLU6(), nn.GELU(), Swish()], ids=lambda one: type(one).__name__
)
def test_deep_nets_of_norms_are_shifted_long_before_the_limit_but_for_what_the_head_reads(function):
    depth = {"ReLU": 20, "ReLU6": 20, "GELU": 28, "Swish": 36}[type(function).__name__]
    with seeded():
        layers = [[nn.Linear(32, 32, bias=False), nn.BatchNorm1d(32), function] for _ in range(depth)]
        model = nn.Sequential(*[one for layer in layers for one in layer], nn.Linear(32, 4))
    x = noise(128, 32)
    before = diagnose(model, x)
    assert before.healthy
    made = plan(model, x)
    assert made.chosen == "shifted"
    moved = {one.name: one.params["value"] for one in made if one.rule == "shift"}
    assert set(moved) == {f"{3 * index + 1}.bias" for index in range(depth - 1)}
    assert len(set(moved.values())) == 1
    made.apply(model)
    assert gradient_span(diagnose(model, x)) < gradient_span(before)


class Blocks(nn.Module):
    """Residual blocks, each ending in a norm that the stream takes as it is."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.stem = nn.Linear(32, 32)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.BatchNorm1d(32)
            )
            for _ in range(depth)
        )
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for branch in self.branches:
            x = x + branch(x)
        return self.head(x)


def test_streams_and_what_somebody_set_are_not_shifted():
    x = noise(128, 32)
    with seeded():
        model = Blocks(6)
    high = replace_span(diagnose(model, x))
    assigned = as_shipped(record(model, x), Run(model))
    moved = {one.name for one in shifted(record(model, x), high, assigned) if one.rule == "shift"}
    assert moved == {f"branches.{index}.1.bias" for index in range(6)}
    model.branches[0][1].bias.requires_grad_(False)
    nn.init.constant_(model.branches[1][1].bias, 0.1)
    moved = {one.name for one in shifted(record(model, x), high, assigned) if one.rule == "shift"}
    assert moved == {f"branches.{index}.1.bias" for index in range(2, 6)}


def replace_span(report: HealthReport) -> HealthReport:
    """The report, with gradients that span nine tenths of the limit."""
    criteria = tuple(
        replace(one, used=0.9) if one.name == "gradient span" else one for one in report.criteria
    )
    return replace(report, criteria=criteria)


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


@pytest.mark.parametrize(("shift", "chosen"), [(None, "shifted"), (-0.15, "auto"), (0.3, "shifted")])
def test_shifts_are_taken_only_if_gradients_grow_less_by_them(monkeypatch, shift, chosen):
    """A ReLU that is moved down bends more. The net is healthy either way, and better than as found: its head is huge.

    Only the comparison of the two spans tells them apart.
    """
    model, x = normed(20), noise(128, 32)
    with torch.no_grad():
        model[-1].weight.mul_(1e3)
    assert not diagnose(model, x).healthy
    if shift is not None:
        monkeypatch.setattr(norm_shifts, "shift_for", lambda *_, **__: shift)
    made = plan(model, x)
    assert made.verdict != "unhealthy"
    assert made.chosen == chosen
    assert any(one.rule == "shift" for one in made) == (chosen == "shifted")
