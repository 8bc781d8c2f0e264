from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.made import made

from initium.theory.layer import Layer


@given(out=st.integers(1, 8), num_in=st.integers(1, 20), kept=st.integers(0, 25))
def test_each_unit_has_its_number_of_connections(out, num_in, kept):
    weight = made("sparse", Layer("linear", (out, num_in)), num_nonzero=kept)
    assert ((weight != 0).sum(1) == min(kept, num_in)).all()


def test_a_convolution_counts_over_its_whole_kernel():
    weight = made("sparse", Layer("conv", (8, 4, 3, 3), groups=2))
    assert ((weight.flatten(1) != 0).sum(1) == 15).all()


def test_the_others_are_normal():
    weight = made("sparse", Layer("linear", (2000, 30)), std=0.5)
    kept = weight[weight != 0]
    assert abs(kept.std().item() / 0.5 - 1) < 5 / (2 * kept.numel()) ** 0.5
    places = (weight != 0).float().mean(0)
    assert torch.allclose(places, torch.full((30,), 0.5), atol=5 * 0.5 / 2000**0.5)
