from __future__ import annotations

import pytest
import torch

import initium
from initium.methods.catalogue import find
from initium.random import fill_, key_for
from initium.theory.layer import Layer

SHAPES = [(16, 8, 3, 3), (8, 2, 3), (16, 4, 3, 3, 3), (6, 5, 2, 4)]


@pytest.mark.parametrize("shape", SHAPES)
def test_inputs_at_every_tap_sum_to_zero(shape):
    weight = initium.fill_(torch.empty(shape), "centred_orthogonal", over="tap")
    assert weight.std() > 0
    torch.testing.assert_close(weight.sum(1), torch.zeros(shape[0], *shape[2:]), atol=1e-5, rtol=0)


def test_groups_are_centred_one_by_one():
    conv = torch.nn.Conv2d(8, 12, 3, groups=2)
    initium.fill_(conv, "centred_orthogonal", over="tap")
    torch.testing.assert_close(conv.weight.detach().sum(1), torch.zeros(12, 3, 3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(16, 1, 3, 3), (16, 24)])
def test_one_input_and_matrices_are_centred_over_rows(shape):
    weight = initium.fill_(torch.empty(shape), "centred_orthogonal", over="tap")
    torch.testing.assert_close(weight, initium.fill_(torch.empty(shape), "centred_orthogonal"))
    torch.testing.assert_close(weight.flatten(1).sum(1), torch.zeros(16), atol=1e-5, rtol=0)


def test_an_even_input_does_not_pass_at_the_border():
    """Rows without mean let it in where taps fall on padding; taps without mean do not, anywhere."""
    even, passed = torch.ones(1, 8, 10, 10), {}
    for over in ("row", "tap"):
        weight = initium.fill_(torch.empty(16, 8, 3, 3), "centred_orthogonal", over=over)
        passed[over] = torch.nn.functional.conv2d(even, weight, padding=1)[0].square().mean(0)
    torch.testing.assert_close(passed["row"][1:-1, 1:-1], torch.zeros(8, 8), atol=1e-9, rtol=0)
    assert passed["row"][0].min() > 0.05
    torch.testing.assert_close(passed["tap"], torch.zeros(10, 10), atol=1e-9, rtol=0)


def test_part_of_the_mean_is_left_as_asked():
    whole = initium.fill_(torch.empty(16, 8, 3, 3), "centred_orthogonal", centring=0.0, over="tap")
    half = initium.fill_(torch.empty(16, 8, 3, 3), "centred_orthogonal", centring=0.5, over="tap")
    assert whole.sum(1).abs().mean() > 0.1
    torch.testing.assert_close(half.sum(1), whole.sum(1) / 2)
    torch.testing.assert_close(half - half.mean(1, keepdim=True), whole - whole.mean(1, keepdim=True))


@pytest.mark.parametrize("centring", [0.0, 0.5, 1.0])
def test_the_energy_that_is_stated_is_that_of_draws(centring):
    """Of rows of 6, of which a share of the mean is taken out: (1 - c)^2 of a sixth is left of what the mean held."""
    layer = Layer("linear", (12, 6))
    method = find("centred_orthogonal")
    stated = method.energy(layer, **method.resolve(centring=centring))
    draw = method(layer, centring=centring)
    sums = torch.stack(
        [fill_(torch.empty(12, 6), draw, key_for(seed, "w")).square().sum() for seed in range(400)]
    )
    error = float(sums.std()) / 20
    assert float(sums.mean()) == pytest.approx(stated.even, abs=5 * error + 1e-4)
    assert error < 0.005 * stated.even
