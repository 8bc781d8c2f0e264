from __future__ import annotations

from initium.theory.layer import Layer


def test_a_grouped_convolution_counts_all_channels():
    layer = Layer("conv", (32, 4, 3, 5), groups=4)
    assert (layer.num_in, layer.num_out, layer.kernel, layer.receptive) == (16, 32, (3, 5), 15)


def test_a_transposed_convolution_has_its_axes_exchanged():
    layer = Layer("conv_transpose", (32, 4, 2), out_axis=1, in_axis=0, groups=2)
    assert (layer.num_in, layer.num_out, layer.transposed) == (32, 8, True)


def test_vectors_have_no_kernel():
    layer = Layer("vector", (7,))
    assert (layer.kernel, layer.num_in, layer.num_out) == ((), 1, 7)
