from __future__ import annotations

import torch
from tests.nets import noise
from torch import Tensor, nn

from initium import record
from initium.plan.everywhere.protection import assigned, keep, protected, tied, untouchable


class Sharing(nn.Module):
    """A frozen, a shared, a loaded, a parametrized and an unused weight."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen, self.loaded, self.unused = (nn.Linear(8, 8) for _ in range(3))
        self.normed = nn.utils.parametrizations.orthogonal(nn.Linear(8, 8))
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.second.weight = self.first.weight
        self.frozen.weight.requires_grad_(False)
        self.loaded.weight._is_hf_initialized = True  # type: ignore[attr-defined]

    def forward(self, x: Tensor) -> Tensor:
        for layer in (self.frozen, self.loaded, self.normed, self.first, self.second):
            x = torch.relu(layer(x))
        return x


SEEN = record(Sharing(), noise(16, 8))


def rule_of(name: str) -> str | None:
    found = protected(SEEN.parts[name], SEEN.parameter(name))
    return None if found is None else found.rule


def test_every_ground_for_protection_is_named() -> None:
    assert {name: rule_of(name) for name in SEEN.parts if name.endswith("weight") or "original" in name} == {
        "frozen.weight": "frozen",
        "loaded.weight": "loaded",
        "unused.weight": "unused",
        "first.weight": "tied",
        "normed.parametrizations.weight.original": "parametrized",
    }
    assert rule_of("first.bias") is None


def test_what_is_tied_may_be_told_from_what_is_untouchable() -> None:
    part, info = SEEN.parts["first.weight"], SEEN.parameter("first.weight")
    assert untouchable(part, info) is None
    found = tied(part, info)
    assert found is not None
    assert "second.weight" in found.reason


def test_an_assignment_has_the_shape_of_the_parameter_and_a_kept_one_its_law() -> None:
    part, info = SEEN.parts["first.bias"], SEEN.parameter("first.bias")
    one = assigned(part, info, "normal", "rule of mine", "why", "source", std=0.1)
    assert (one.layer.shape, one.params, one.source) == ((8,), {"std": 0.1}, "source")
    assert keep(part, info, "author", "why").found["method"] in ("uniform", "normal")
