from __future__ import annotations

import pytest
from tests.nets import mlp, noise
from tests.plan.nets import same, state_of
from torch import nn

from initium import plan
from initium.methods.catalogue import find
from initium.plan.data_driven.baseline import Baseline, Found
from initium.plan.data_driven.data_policy import DATA_DRIVEN, DataDriven


def test_every_method_that_looks_at_data_or_gradients_has_an_engine() -> None:
    driven = {one.method.name for one in DATA_DRIVEN}
    assert driven >= {"lsuv", "kraehenbuehl", "weight_norm_data", "metainit", "gradinit", "nio", "autoinit"}
    assert len(driven) == len(DATA_DRIVEN)
    assert [one.method.name for one in DATA_DRIVEN if one.needs_loss] == ["gradinit"]


def test_a_method_of_ones_own_is_a_function_from_the_baseline_to_scales() -> None:
    model, drawn = mlp(2, 8, nn.ReLU), []

    def halved(baseline: Baseline) -> Found:
        drawn.append(float(baseline.run.model[0].weight.detach().square().mean()))  # type: ignore[index]
        return baseline.scaled(dict.fromkeys(baseline.tuned, 0.5)), (f"{len(baseline.tuned)} weights halved",)

    before = state_of(model)
    made = plan(model, noise(16, 8), policy=DataDriven(find("lsuv"), "orthogonal", halved))
    assert same(before, state_of(model))
    assert drawn == [pytest.approx(1 / 8)]  # an orthogonal 8 x 8 matrix: the base was in the model
    assert {one.scale for one in made if one.method == "orthogonal"} == {0.5}
    assert made.notes == ("3 weights halved",)


def test_parameters_reach_the_method() -> None:
    """Outputs of deviation 3 in place of 1: the scale of the first weight is three times as large."""
    model = mlp(1, 8, nn.ReLU)
    plain, large = (plan(model, noise(64, 8), policy=f"lsuv:target={target}") for target in (1.0, 3.0))
    assert large["0.weight"].scale / plain["0.weight"].scale == pytest.approx(3, rel=1e-4)


def test_the_model_is_put_back_when_a_search_is_interrupted() -> None:
    model, seen = mlp(2, 8, nn.ReLU), []
    before = state_of(model)

    def interrupted(baseline: Baseline) -> Found:
        seen.append(state_of(model))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan(model, noise(16, 8), policy=DataDriven(find("lsuv"), "orthogonal", interrupted))
    assert not same(before, seen[0])
    assert same(before, state_of(model))
