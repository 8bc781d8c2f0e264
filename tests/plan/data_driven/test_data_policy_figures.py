"""Policies that look at data: what they need, and that the model is as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import noise
from torch import nn

from initium.errors import UnknownNameError, UsageError
from initium.plan.data_driven.data_policy import DATA_DRIVEN, DataDriven
from initium.plan.policy import Run
from initium.record import record

X = noise(64, 6)
BY_NAME = {one.method.name: one for one in DATA_DRIVEN}


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))


def decided(policy: DataDriven, model: nn.Module, loss=None):  # type: ignore[no-untyped-def]
    return policy.decide(record(model, X), Run(model, X, X, X, None, loss))


def test_there_is_a_policy_for_every_card_and_what_each_needs() -> None:
    from initium.methods.catalogue import CATALOGUE

    assert BY_NAME.keys() == {one.name for one in CATALOGUE if one.family == "data_driven"}
    assert [name for name, one in BY_NAME.items() if one.needs == "none"] == ["autoinit"]
    assert [name for name, one in BY_NAME.items() if one.needs_loss] == ["gradinit"]
    assert {name: one.base for name, one in BY_NAME.items() if one.base != "he_normal"} == {
        "lsuv": "orthogonal"
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_the_model_is_put_back_and_every_weight_is_decided(name: str) -> None:
    model = net()
    before = {key: one.clone() for key, one in model.state_dict().items()}
    policy = BY_NAME[name]
    if "steps" in {one.name for one in policy.method.params}:
        policy = replace(policy, params={"steps": 2})
    found = decided(policy, model, lambda output: output.square().mean())
    assert {one.name for one in found.assignments} == before.keys()
    assert all(torch.equal(one, before[key]) for key, one in model.state_dict().items())


def test_the_model_is_put_back_when_the_search_breaks() -> None:
    def broken(baseline):  # type: ignore[no-untyped-def]
        assert not torch.equal(baseline.run.model[0].weight, before)
        raise KeyboardInterrupt

    model = net()
    before = model[0].weight.detach().clone()
    with pytest.raises(KeyboardInterrupt):
        decided(DataDriven(BY_NAME["lsuv"].method, "he_normal", broken), model)
    assert torch.equal(model[0].weight, before)


def test_what_is_missing_or_wrong_is_told() -> None:
    with pytest.raises(UsageError, match="without a loss"):
        decided(BY_NAME["gradinit"], net())
    with torch.device("meta"):
        meta = net()
    seen = record(net(), X)
    on_meta = replace(seen, parameters=tuple(replace(one, meta=True) for one in seen.parameters))
    with pytest.raises(UsageError, match="meta device"):
        BY_NAME["lsuv"].decide(on_meta, Run(meta, X, X, X))
    with pytest.raises(UnknownNameError, match="target"):
        replace(BY_NAME["lsuv"], params={"taget": 2.0})
    with pytest.raises(UsageError, match="target"):
        replace(BY_NAME["lsuv"], params={"target": -1.0})


def test_parameters_reach_the_method() -> None:
    """An output of deviation 3 in place of 1: the scale is three times as large."""
    model = net()
    plain, large = (
        decided(replace(BY_NAME["lsuv"], params={"target": target}), model).assignments
        for target in (1.0, 3.0)
    )
    ratios = [b.scale / a.scale for a, b in zip(plain, large, strict=True) if a.method == "orthogonal"]
    assert ratios[0] == pytest.approx(3, rel=1e-4)
