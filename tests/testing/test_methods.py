"""The suite finds what is wrong with a method: each of these has one fault."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from initium.methods.catalogue import find
from initium.methods.kit.energy import Energy
from initium.methods.method import Paper, Param
from initium.random.distributions import Built, Constant, Normal, Orthogonal
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.testing import SAMPLE_LAYERS, check_method, served_layers
from initium.testing.methods import check_distribution, check_moments
from initium.theory.layer import Layer

GOOD = find("lecun_normal")
LINEAR = Layer("linear", (30, 20))


def with_draw(draw, **changes):
    def build(layer, *, truncated, fans):
        return draw(layer)

    return replace(GOOD, draw=build, **changes)


def test_a_good_method_passes():
    check_method(GOOD)


def test_claims_must_be_served():
    with pytest.raises(AssertionError, match="serves no sample layer"):
        check_method(find("nguyen_widrow"))  # biases need num_inputs
    by_layer = check_method(find("nguyen_widrow"), params=lambda layer: {"num_inputs": 5 + len(layer.shape)})
    assert by_layer is None


def test_what_is_not_claimed_must_be_refused():
    class Generous(type(GOOD)):
        def __call__(self, layer, **params):
            return Normal(0.0, 1.0)

    fields = {name: getattr(GOOD, name) for name in GOOD.__dataclass_fields__}
    with pytest.raises(AssertionError, match="but serves it"):
        check_method(Generous(**fields))


def test_hidden_randomness_is_found():
    counter = itertools.count()
    method = with_draw(lambda layer: Built(lambda shape, key: torch.full(shape, float(next(counter) % 3))))
    with pytest.raises(AssertionError, match="two fills under one key differ"):
        check_method(method)


def test_infinities_are_found():
    with pytest.raises(AssertionError, match="not finite"):
        check_method(with_draw(lambda layer: Built(lambda shape, key: torch.full(shape, float("inf")))))


def test_wrong_moments_and_shapes_of_distribution_are_found(monkeypatch):
    def biased(tensor, draw, key):
        return fill_(tensor, draw, key).mul_(2)

    monkeypatch.setattr("initium.testing.methods.fill_", biased)
    with pytest.raises(AssertionError, match="variance"):
        check_moments(GOOD, LINEAR, {})
    with pytest.raises(AssertionError, match="KS distance"):
        check_distribution(GOOD, LINEAR, {})
    with pytest.raises(AssertionError, match="orthonormal"):
        check_distribution(find("orthogonal"), LINEAR, {})


def test_a_wrong_statement_about_the_signal_is_found():
    delta = find("delta_orthogonal")
    twice = replace(delta, energy=lambda layer, gain: Energy(centre=2 * gain**2 * layer.num_in))
    with pytest.raises(AssertionError, match="mean square times"):
        check_method(twice)


def test_careless_parameters_are_found():
    careless = replace(GOOD, params=(Param("truncated", False, ""), *GOOD.params[1:]))
    with pytest.raises(AssertionError, match="no help"):
        check_method(careless)
    with pytest.raises(AssertionError, match="no paper"):
        check_method(replace(GOOD, paper=Paper("", 2020, "x")))


def test_methods_of_more_than_a_layer_are_not_checked():
    with pytest.raises(AssertionError, match="no function of a layer"):
        check_method(find("lsuv"))


def test_layers_may_be_refused_if_one_of_the_kind_is_served():
    served = served_layers(find("delta_orthogonal"))
    assert 0 < len(served) < len([layer for layer in SAMPLE_LAYERS if layer.kind == "conv"])


def test_deterministic_methods_pass():
    check_method(find("zeros"))
    check_method(find("dirac"))
    draw = Orthogonal(1.0, 30, 20)
    assert fill_(torch.empty(30, 20), draw, key_for(0, "x")).shape == (30, 20)
    assert fill_(torch.empty(2), Constant(1.0), key_for(0, "x")).tolist() == [1.0, 1.0]
