from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import noise
from torch import Tensor, nn

from initium import plan, record
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


class Strange(nn.Module):
    """A matrix that a solver takes, behind what `Sharing` protects."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.before = nn.Linear(8, 8), Sharing()
        self.matrix = nn.Parameter(torch.eye(8))

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.solve(self.matrix, self.before(self.plain(x)).T).T


def test_what_an_unknown_operation_takes_is_protected_while_it_is_finite() -> None:
    seen = record(Strange(), noise(16, 8))
    part, info = seen.parts["matrix"], seen.parameter("matrix")
    found = untouchable(part, info)
    assert found is not None
    assert found.rule == "opaque"
    assert untouchable(part, replace(info, finite=False)) is None  # somebody must write it
    frozen = untouchable(part, replace(info, finite=False, frozen=True))
    assert frozen is not None


@pytest.mark.parametrize("policy", ["he_normal", "auto", "recipe:torch_default"])
def test_no_policy_writes_what_is_protected(policy: str) -> None:
    model = Strange()
    free = ("plain.weight", "plain.bias", "bias")
    before = {name: one.detach().clone() for name, one in model.named_parameters() if not name.endswith(free)}
    plan(model, noise(16, 8), policy=policy).apply(model, seed=0)
    after = dict(model.named_parameters())
    changed = {name for name, one in before.items() if not torch.equal(after[name], one)}
    assert changed <= {"before.first.weight"} if policy == "auto" else changed == set()
