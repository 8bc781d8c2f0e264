from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.made import made

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.random import fill_, key_for
from initium.theory.layer import Layer


def test_a_dirac_convolution_passes_its_input_on():
    x = torch.randn(2, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    for groups in (1, 2, 3):
        weight = made("dirac", Layer("conv", (6, 6 // groups, 3, 3), groups=groups))
        assert torch.equal(F.conv2d(x, weight, padding=1, groups=groups), x)
    weight = made("dirac", Layer("conv_transpose", (6, 3, 3, 3), out_axis=1, in_axis=0, groups=2))
    assert torch.equal(F.conv_transpose2d(x, weight, padding=1, groups=2), x)


def test_surplus_rows_are_zero_or_repeat():
    layer = Layer("linear", (7, 3))
    assert made("identity", layer)[3:].abs().max() == 0
    assert torch.equal(made("identity", layer, fill="cycle")[3:6], torch.eye(3))


def test_the_kinds_point_at_each_other():
    with pytest.raises(LayerError, match="use identity"):
        find("dirac")(Layer("linear", (4, 4)))
    with pytest.raises(LayerError, match="use dirac"):
        find("identity")(Layer("conv", (4, 4, 3)))


@given(out=st.integers(1, 40), num_in=st.integers(1, 40))
def test_zero_hadamard_has_full_rank_and_no_randomness(out, num_in):
    layer = Layer("linear", (out, num_in))
    weight = made("zero_hadamard", layer)
    assert torch.equal(weight, made("zero_hadamard", layer, 1))
    assert torch.linalg.matrix_rank(weight.double()) == min(out, num_in)
    if out > num_in:
        assert weight.abs().unique().numel() == 1


@given(out=st.integers(1, 9), num_in=st.integers(1, 9), side=st.integers(1, 3))
def test_idinit_leaves_no_row_or_column_empty(out, num_in, side):
    weight = made("idinit", Layer("conv", (out, num_in, side)), tau=0.5).reshape(out, -1)
    ones = weight > 0.25
    assert (ones.any(0)).all()
    assert (ones.any(1)).all()
    assert (weight - 0.5 * ones).abs().max() < 1e-5
    assert (weight != 0).all()  # the noise


def test_idinit_for_a_branch_end_is_nearly_zero_but_not_dead():
    weight = made("idinit", Layer("linear", (8, 8)), tau=1e-6, noise=0.0)
    assert torch.allclose(weight, 1e-6 * torch.eye(8))


@pytest.mark.parametrize("gain", [0.5, 1.0, 3.0])
def test_the_energy_of_an_identity_is_that_of_its_diagonal(gain):
    layer = Layer("linear", (12, 8))
    method = find("identity")
    weight = fill_(torch.empty(12, 8), method(layer, gain=gain), key_for(0, "w"))
    stated = method.energy(layer, **method.resolve(gain=gain))
    assert (stated.centre, stated.even, stated.uneven) == (float(weight.square().sum()), 0.0, 0.0)
