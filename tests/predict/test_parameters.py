"""What operations take from parameters, against the parameters themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.nets import noise
from torch import nn

from initium import record
from initium.predict.parameters import ParameterMoments
from initium.predict.signal import Outside, Weights
from initium.record.parameters.weight_structure import Structure


def held(model: nn.Module, weights: dict[str, Weights] | None = None, width: int = 64) -> ParameterMoments:
    return ParameterMoments(record(model, noise(8, width)), weights or {})


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 64))


def test_found_moments_are_those_of_the_values() -> None:
    model = net()
    one = held(model)
    found, weight, bias = one.weights_of("0.weight"), model[0].weight.detach(), model[0].bias.detach()
    assert found.second == pytest.approx(float(weight.square().mean()), rel=1e-5)
    assert found.mean == pytest.approx(float(weight.mean()), abs=1e-6)
    node = one.seen.nodes[one.seen.parts["0.weight"].nodes[0]]
    ((mean, second),) = one.vectors(node, "bias")
    assert (mean, second) == (
        pytest.approx(float(bias.mean()), abs=1e-6), pytest.approx(float(bias.square().mean()), rel=1e-5),
    )  # fmt: skip
    norm = next(node for node in one.seen.nodes if node.category == "norm")
    assert one.vectors(norm, "gain") == [(1.0, 1.0)]
    assert one.vectors(norm, "shift") == [(0.0, 0.0)]
    assert one.vectors(norm, "bias") == []


def test_planned_moments_stand_in_for_found_ones_unless_those_are_asked_for() -> None:
    planned = {"1.weight": Weights(4.0, mean=2.0), "0.weight": Weights(0.5)}
    one = held(net(), planned)
    norm = next(node for node in one.seen.nodes if node.category == "norm")
    assert one.vectors(norm, "gain") == [(2.0, 4.0)]
    assert one.vectors(norm, "gain", found=True) == [(1.0, 1.0)]
    assert one.weights_of("0.weight") == planned["0.weight"]


def test_the_weight_of_a_node() -> None:
    one = held(net())
    uses = [one.weight_at(node.index) for node in one.seen.nodes]
    assert [use.names if use else () for use in uses] == [(), ("0.weight",), (), ("2.weight",)]


def test_a_weight_is_met_again_where_its_own_output_comes_back() -> None:
    shared = nn.Linear(64, 64)
    one = held(nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(64, 64)))
    first, second, third = (use.node for use in one.seen.sites)
    assert not one.met_before("0.weight", first)
    assert one.met_before("0.weight", second)
    assert not one.met_before("4.weight", third)
    assert not one.met_before("no such name", third)


MANY = 10**6
"""Rows by which a sum is known to be no chance."""
BAD = [Structure(zeros=0.21), Structure(paired=0.5), Structure(sums=1.01, rows=MANY)]
FINE = [
    Structure(zeros=0.2),
    Structure(paired=1.0),
    Structure(sums=1.01, rows=64),
    Structure(sums=0.5, rows=MANY),
]


@pytest.mark.parametrize("shape", BAD)
def test_weights_that_are_no_random_draws_are_outside(shape: Structure) -> None:
    with pytest.raises(Outside):
        held(net(), {"0.weight": Weights(1.0, shape)}).weights_of("0.weight")


@pytest.mark.parametrize("shape", FINE)
def test_weights_that_theory_knows_are_inside(shape: Structure) -> None:
    assert held(net(), {"0.weight": Weights(1.0, shape)}).weights_of("0.weight").structure == shape


def test_structure_matters_neither_to_vectors_nor_to_zeros() -> None:
    one = held(net(), {"0.weight": Weights(0.0, BAD[0]), "0.bias": Weights(1.0, BAD[0])})
    assert one.weights_of("0.weight").second == 0.0
    assert one.weights_of("0.bias").second == 1.0


def test_values_that_are_not_known_are_outside() -> None:
    one = held(net())
    broken = tuple(replace(info, finite=False) for info in one.seen.parameters)
    other = ParameterMoments(replace(one.seen, parameters=broken), {})
    with pytest.raises(Outside):
        other.weights_of("0.weight")
    with pytest.raises(Outside):
        other.vectors(other.seen.nodes[1], "bias")


def test_pairs_of_opposite_units_are_seen_in_the_weight_itself() -> None:
    model = net()
    assert not held(model).is_opposite(1)
    with torch.no_grad():
        model[0].weight[32:] = -model[0].weight[:32]
    assert held(model).is_opposite(1)
    assert not held(model).is_opposite(0)


def test_parts_of_one_value_with_biases_of_their_own_have_no_common_law() -> None:
    """A spread of biases of more than a tenth of the second moment; the same constant for all is none."""
    model = net()
    one = held(model)
    node = one.seen.nodes[1]
    spread = float(model[0].bias.detach().var(unbiased=False))
    one.check_parts(node, spread / 0.099, False)
    one.check_parts(node, spread / 0.099, True)
    with pytest.raises(Outside):
        one.check_parts(node, spread / 0.101, True)
    with pytest.raises(Outside):
        one.check_parts(node, 1e9, None)
    nn.init.constant_(model[0].bias, 3.0)
    held(model).check_parts(node, 9.1, True)
