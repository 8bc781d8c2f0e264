from __future__ import annotations

import pytest
import torch
from tests.nets import mlp, noise
from torch import nn

import initium
from initium import Rule, plan
from initium.errors import UsageError
from initium.plan.scales.planned_weights import planned_weights, predicted
from initium.record import record


def test_a_plan_is_predicted_before_it_is_written():
    net, x = mlp(4, 64, nn.ReLU), noise(32, 64)
    made = initium.plan(net, x, policy="he_normal")
    before = predicted(initium.record(net, x), made, seed=3)
    made.apply(net, seed=3)
    after = initium.record(net, x)
    assert all(one.measured is None and not one.outside for one in before)
    for one in before:
        measured = after.nodes[one.node].forward.second
        assert one.low <= measured <= one.high


def test_a_kept_weight_counts_as_it_was_found():
    net, x = mlp(2, 32, nn.Tanh), noise(16, 32)
    seen = initium.record(net, x)
    made = initium.plan(net, x, policy="shipped")
    assert [one.second for one in predicted(seen, made)] == pytest.approx(
        [one.second for one in predicted(seen, ())]
    )


def test_a_plan_by_auto_shows_what_theory_says_beside_what_was_measured():
    net, x = mlp(12, 64, nn.GELU), noise(64, 64)
    made = initium.plan(net, x)
    sites = made.predicted
    assert [one.names[0] for one in sites] == [
        name for name, _ in net.named_parameters() if name.endswith("weight")
    ]
    assert all(one.measured is not None and not one.outside and one.inside for one in sites)
    assert sum(one.gradient is not None and one.gradient.inside for one in sites) == 13
    made.apply(net, seed=made.seed)
    seen = initium.record(net, x[1::2])  # the samples that verified
    assert [one.measured for one in sites] == pytest.approx(
        [seen.nodes[one.node].forward.second for one in sites]
    )
    assert "Predicted and measured" in str(made)


@pytest.mark.parametrize("policy", ["he_normal", "autoinit", "lsuv"])
def test_plans_of_other_policies_are_predicted_without_a_second_run(policy):
    made = initium.plan(mlp(4, 64, nn.ReLU), noise(64, 64), policy=policy)
    assert len(made.predicted) == 5
    assert all(one.measured is None and not one.outside for one in made.predicted)
    document = str(made)
    assert "Predicted" in document
    assert "within their error bar" not in document


def test_plans_without_data_are_predicted_from_an_input_of_unit_size():
    with torch.device("meta"):
        net = nn.Sequential(
            nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)
        )
    made = initium.plan(net, torch.empty(8, 32, device="meta"), policy="he_normal")
    assert [one.second for one in made.predicted] == pytest.approx([2.0, 1.0, 1.0], rel=0.01)


def test_planned_gains_and_biases_count():
    net = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    rules = [
        initium.Rule(where="1.weight", method="constant", value=3.0),
        initium.Rule(where="2.bias", method="constant", value=2.0),
    ]
    made = initium.plan(net, noise(64, 64), policy="he_normal", rules=rules)
    assert made.predicted[1].second == pytest.approx(2 * 9 + 4, rel=0.01)


def test_predictions_survive_as_text():
    made = initium.plan(mlp(4, 64, nn.Tanh), noise(64, 64))
    again = initium.Plan.from_json(made.to_json())
    assert again == made
    assert again.predicted[2].gradient == made.predicted[2].gradient


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"second": ', '"second": "x", "_": '),
        ('"error": ', '"error": -1.0, "_": '),
        ('"node": ', '"node": 1.5, "_": '),
    ],
)
def test_predictions_of_a_hostile_file_are_refused(old, new):
    text = initium.plan(mlp(2, 32, nn.Tanh), noise(32, 32), policy="he_normal").to_json()
    with pytest.raises(UsageError, match="is no plan"):
        initium.Plan.from_json(text.replace(old, new, 1))


def test_starting_a_model_makes_no_predictions(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("initium.plan.build.predict", refuse)
    assert initium.init_(mlp(2, 32, nn.Tanh), noise(32, 32)).verdict == "healthy"


def test_a_vector_with_a_mean_has_the_moments_of_its_law_and_not_of_a_draw():
    net = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 2))
    rules = [Rule(where="0.bias", method="normal", mean=0.5, std=0.2)]
    made = plan(net, noise(8, 8), policy="he_normal", rules=rules)
    told = planned_weights(record(net, noise(8, 8)), made, seed=0)["0.bias"]
    assert (told.mean, told.second) == (0.5, pytest.approx(0.5**2 + 0.2**2, rel=1e-12))
