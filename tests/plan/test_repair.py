from __future__ import annotations

import math

import pytest
import torch
from tests.nets import mlp, noise, plain_conv, seeded
from tests.plan.nets import Small, changed, pictures, same, state_of, three_parts
from torch import nn

from initium import diagnose, init_, repair_
from initium.errors import InitiumError, ModelRunError, UsageError, UsageTypeError


def sound() -> nn.Module:
    with seeded():
        model = mlp(3, 24, nn.ReLU)
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    return model


X = noise(64, 24)


def test_a_healthy_model_is_left_bit_for_bit() -> None:
    model = sound()
    before = state_of(model)
    assert diagnose(model, X).healthy
    receipt = repair_(model, X)
    assert receipt.written == ()
    assert receipt.verdict == "healthy"
    assert same(before, state_of(model))


def zero(model: nn.Module) -> None:
    nn.init.zeros_(model[2].weight)


def nan(model: nn.Module) -> None:
    with torch.no_grad():
        model[2].weight[3, 3] = math.nan


@pytest.mark.parametrize("spoil", [zero, nan])
def test_only_what_is_unhealthy_is_changed(spoil: object) -> None:
    model = sound()
    spoil(model)  # type: ignore[operator]
    before = state_of(model)
    receipt = repair_(model, X)
    assert changed(before, model) == {"2.weight"}
    assert receipt.written == ("2.weight",)
    assert diagnose(model, X).healthy
    assert receipt.after is not None
    assert receipt.before is not None
    assert receipt.after < receipt.before


def test_a_dead_chain_is_brought_to_life() -> None:
    with seeded():
        model = plain_conv(20, 16)
    assert not diagnose(model, pictures()).healthy
    receipt = repair_(model, pictures())
    assert receipt.verdict == "healthy"
    assert diagnose(model, pictures()).healthy


def test_what_no_weight_can_repair_is_left_and_said() -> None:
    class Cut(nn.Module):
        """Its output does not depend on its first layer."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x) * 0)

    model = Cut()
    before = state_of(model)
    if not diagnose(model, noise(16, 8)).healthy:
        receipt = repair_(model, noise(16, 8))
        assert receipt.written == ()
        assert "as it was" in receipt.notes[0]
        assert same(before, state_of(model))


def test_the_same_seed_gives_the_same_repair() -> None:
    left, right = sound(), sound()
    for model in (left, right):
        zero(model)
        repair_(model, X, seed=4)
    assert same(state_of(left), state_of(right))


@pytest.mark.parametrize(
    ("model", "inputs", "kind"),
    [
        (Small, pictures(), UsageTypeError), (nn.ReLU(), X, UsageError), (Small(), pictures() * math.nan, UsageError),
        (Small(), X, ModelRunError), (nn.LazyLinear(3), X, UsageError),
    ],
)  # fmt: skip
def test_bad_inputs(model: object, inputs: object, kind: type[InitiumError]) -> None:
    with pytest.raises(kind) as caught:
        repair_(model, inputs)  # type: ignore[arg-type]
    assert three_parts(caught.value)


def test_a_rule_of_a_finding_leaves_frozen_parameters() -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    model[2].weight.requires_grad_(False)
    repair_(model, torch.randn(16, 8))

    assert not model[2].weight.any()


def test_inputs_that_the_model_overwrites_come_back_from_the_calibrating_run() -> None:
    class Doubling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x.mul_(2.0))

    inputs = torch.randn(16, 8)
    before = inputs.clone()
    init_(Doubling(), inputs)

    assert torch.equal(before, inputs)


def test_a_repair_keeps_the_notes_of_a_start() -> None:
    """That inputs were made up, that few samples did all the work, and what is still wrong."""
    dead = mlp(3, 24, nn.ReLU)
    for parameter in dead.parameters():
        nn.init.zeros_(parameter)
    on_noise = repair_(dead, (24,))
    assert on_noise.written
    assert on_noise.notes[-1].startswith("no data: run on 16 samples")
    assert any("same samples" in note for note in repair_(sound(), X[:4]).notes)

    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x) * 0)

    model = Cut()
    assert not diagnose(model, noise(16, 8)).healthy
    notes = repair_(model, noise(16, 8)).notes
    assert "as it was" in notes[0]
    assert any(note.startswith("still IN") and "What to do:" in note for note in notes)
