"""What no policy changes, one case each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from initium import plan
from initium.plan.everywhere.protection import assigned, keep, protected, tied, untouchable
from initium.record import record

X = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain, self.frozen, self.loaded, self.lost = (nn.Linear(8, 8, bias=False) for _ in range(4))
        self.one, self.two = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.two.weight = self.one.weight
        self.frozen.weight.requires_grad_(False)
        self.loaded.weight._is_hf_initialized = True
        self.made = nn.utils.parametrizations.spectral_norm(nn.Linear(8, 8, bias=False))
        self.strange = nn.Parameter(torch.eye(8))

    def forward(self, x):
        for one in (self.plain, self.frozen, self.loaded, self.one, self.two, self.made):
            x = one(x).tanh()
        return torch.linalg.solve(self.strange, x.T).T


@pytest.fixture(scope="module")
def seen():
    return record(Net(), X)


def why(seen, name):
    found = protected(seen.parts[name], seen.parameter(name))
    return found.rule if found is not None else ""


def test_each_has_its_reason(seen):
    assert {name: why(seen, name) for name in seen.parts} == {
        "plain.weight": "", "frozen.weight": "frozen", "loaded.weight": "loaded", "lost.weight": "unused",
        "one.weight": "tied", "made.parametrizations.weight.original": "parametrized", "strange": "opaque",
    }  # fmt: skip


def test_what_is_not_finite_must_be_written(seen):
    part, info = seen.parts["strange"], seen.parameter("strange")
    assert untouchable(part, replace(info, finite=False)) is None
    frozen = seen.parts["frozen.weight"], replace(seen.parameter("frozen.weight"), finite=False)
    assert untouchable(*frozen) is not None  # frozen comes first


def test_ties_name_the_others(seen):
    found = tied(seen.parts["one.weight"], seen.parameter("one.weight"))
    assert found is not None
    assert "two.weight" in found.reason
    assert tied(seen.parts["plain.weight"], seen.parameter("plain.weight")) is None


def test_an_assignment_has_the_parameters_own_shape_and_role(seen):
    part, info = seen.parts["plain.weight"], seen.parameter("plain.weight")
    one = assigned(part, info, "normal", "r", "why", "who", std=0.1)
    assert (one.name, one.method, one.params, one.scale, one.rule, one.reason, one.source) == (
        "plain.weight", "normal", {"std": 0.1}, 1.0, "r", "why", "who",
    )  # fmt: skip
    assert one.layer.shape == (8, 8)
    assert one.role == part.role
    assert not one.keeps
    assert keep(part, info, "r", "why").keeps
    other = assigned(part, replace(info, shape=(4, 8)), "normal", "r", "why")
    assert other.layer.shape == (4, 8)


@pytest.mark.parametrize("policy", ["he_normal", "auto", "recipe:torch_default"])
def test_no_policy_writes_them(policy):
    model = Net()
    names = (
        "frozen.weight",
        "loaded.weight",
        "lost.weight",
        "strange",
        "made.parametrizations.weight.original",
    )
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    plan(model, X, policy=policy).apply(model, seed=0)
    after = dict(model.named_parameters())
    assert all(torch.equal(after[name], before[name]) for name in names)
