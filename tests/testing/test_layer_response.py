"""A layer from its geometry does what torch's own module does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from initium.testing.layer_response import apply_layer, signal, sized
from initium.theory.layer import Layer

CASES = [
    (nn.Linear(5, 7, bias=False), Layer("linear", (7, 5))),
    (nn.Conv1d(4, 6, 3, bias=False), Layer("conv", (6, 4, 3))),
    (
        nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, bias=False),
        Layer("conv", (6, 2, 3, 2), groups=2, stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
    ),
    (
        nn.ConvTranspose2d(4, 6, 3, 2, 1, (1, 0), 2, bias=False),
        Layer("conv_transpose", (4, 3, 3, 3), 1, 0, 2, (2, 2), (1, 1), (), (1, 0)),
    ),
]


@pytest.mark.parametrize(("module", "layer"), CASES, ids=lambda one: type(one).__name__)
def test_it_is_torchs_module(module, layer):
    shape = (3, 5) if layer.kind == "linear" else (3, layer.num_in, *sized(layer).input_size)
    x = torch.randn(shape)
    assert torch.allclose(apply_layer(module.weight, layer, x), module(x), atol=1e-5)


def test_a_stack_of_matrices_is_applied_one_by_one():
    weight, x = torch.randn(3, 5, 2), torch.randn(3, 64, 5)
    layer = Layer("linear", (3, 5, 2), out_axis=2, in_axis=1)
    assert torch.allclose(apply_layer(weight, layer, x), torch.einsum("enk,eko->eno", x, weight), atol=1e-5)


def test_the_signal_of_a_rotation_is_kept_both_ways():
    weight = torch.linalg.qr(torch.randn(16, 16))[0]
    generator = torch.Generator().manual_seed(0)
    assert signal(3 * weight, Layer("linear", (16, 16)), generator) == pytest.approx((9, 9), rel=1e-5)


def test_the_signal_of_a_wide_matrix_grows_by_its_fans():
    """N(0, 1 / 50): forward 200 terms, backward 100; each mean square errs by about sqrt(2 / 6400) of itself."""
    weight = torch.randn(100, 200) / 50**0.5
    forward, backward = signal(weight, Layer("linear", (100, 200)), torch.Generator().manual_seed(0))
    assert (forward, backward) == pytest.approx((4, 2), rel=0.09)


def test_sizes_that_are_not_known_are_eight():
    assert sized(Layer("conv", (6, 4, 3, 3))).input_size == (8, 8)
    assert sized(Layer("conv", (6, 4, 3), input_size=(5,))).input_size == (5,)
    assert sized(Layer("linear", (6, 4))).input_size == ()
