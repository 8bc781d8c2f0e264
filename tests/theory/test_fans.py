from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from initium.errors import UsageError
from initium.theory.fans import Fans, blocks, fans, torch_fans
from initium.theory.layer import Layer

small = st.integers(1, 4)


def test_a_linear_layer_has_its_widths():
    assert fans(Layer("linear", (5, 3))) == Fans(3.0, 5.0)
    assert fans(Layer("linear", (3, 5), out_axis=1, in_axis=0)) == Fans(3.0, 5.0)
    assert fans(Layer("linear", (8, 3, 5), out_axis=2, in_axis=1)) == Fans(3.0, 5.0)  # eight experts


def test_vectors_and_embeddings():
    assert fans(Layer("vector", (64,))) == Fans(1.0, 1.0)
    assert fans(Layer("embedding", (1000, 64), out_axis=1, in_axis=0)) == Fans(1.0, 64.0)


def test_groups_and_stride_without_a_size():
    assert fans(Layer("conv", (32, 4, 3, 3), groups=4, stride=(2, 2))) == Fans(36.0, 18.0)
    layer = Layer("conv_transpose", (32, 4, 4, 4), out_axis=1, in_axis=0, groups=2, stride=(2, 2))
    assert fans(layer) == Fans(16 * 4.0, 4 * 16.0)


@given(size=st.integers(1, 9), taps=small, stride=small, pad=st.integers(0, 3), dilation=st.integers(1, 3))
def test_taps_are_counted_exactly(size, taps, stride, pad, dilation):
    assume(size + 2 * pad >= dilation * (taps - 1) + 1)
    x = torch.ones(1, 1, size, requires_grad=True)
    y = F.conv1d(x, torch.ones(1, 1, taps), stride=stride, padding=pad, dilation=dilation)
    assume(y.sum() > 0)
    y.sum().backward()
    layer = Layer(
        "conv", (1, 1, taps), stride=(stride,), padding=(pad,), dilation=(dilation,), input_size=(size,)
    )
    assert fans(layer) == Fans(pytest.approx(y.mean().item()), pytest.approx(x.grad.mean().item()))


@given(
    size=st.integers(1, 7),
    taps=small,
    stride=small,
    pad=st.integers(0, 2),
    dilation=st.integers(1, 2),
    extra=st.integers(0, 1),
)
def test_taps_of_transposed_convolutions_are_counted_exactly(size, taps, stride, pad, dilation, extra):
    assume(extra < max(stride, dilation))
    assume((size - 1) * stride - 2 * pad + dilation * (taps - 1) + extra + 1 > 0)
    x = torch.ones(1, 1, size, requires_grad=True)
    y = F.conv_transpose1d(x, torch.ones(1, 1, taps), None, stride, pad, extra, 1, dilation)
    assume(y.sum() > 0)
    y.sum().backward()
    layer = Layer(
        "conv_transpose",
        (1, 1, taps),
        out_axis=1,
        in_axis=0,
        stride=(stride,),
        padding=(pad,),
        dilation=(dilation,),
        output_padding=(extra,),
        input_size=(size,),
    )
    assert fans(layer) == Fans(pytest.approx(y.mean().item()), pytest.approx(x.grad.mean().item()))


def test_axes_multiply():
    layer = Layer("conv", (2, 3, 3, 5), padding=(1, 2), input_size=(4, 6))
    rows, cols = (2 + 3 + 3 + 2) / 4, (3 + 4 + 5 + 5 + 4 + 3) / 6
    assert fans(layer).fan_in == pytest.approx(3 * rows * cols)


def test_padding_can_be_ignored():
    layer = Layer("conv", (2, 3, 3), padding=(1,), input_size=(4,))
    assert fans(layer, padding=False) == Fans(9.0, 6.0)
    assert fans(layer).fan_in == pytest.approx(7.5)


def test_an_output_that_is_all_padding_falls_back():
    assert fans(Layer("conv", (1, 1, 1), stride=(9,), padding=(1,), input_size=(1,))) == Fans(1.0, 1 / 9)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=5))
def test_torch_fans_are_those_of_torch(shape):
    assert torch_fans(shape) == nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


def test_torch_fans_need_two_axes():
    with pytest.raises(UsageError, match="at least two axes"):
        torch_fans((3,))


def test_blocks_split_along_the_output_axis():
    layer = Layer("linear", (8, 12), out_axis=1, in_axis=0, blocks=(4, 6, 2))
    assert [part.shape for part in blocks(layer)] == [(8, 4), (8, 6), (8, 2)]
    assert all(part.blocks == () for part in blocks(layer))
    assert blocks(Layer("linear", (4, 4))) == (Layer("linear", (4, 4)),)


def test_blocks_must_add_up():
    with pytest.raises(UsageError, match="add up to 8"):
        blocks(Layer("linear", (8, 4), blocks=(4, 3)))


def test_means():
    both = Fans(4.0, 16.0)
    assert (both.mean, both.geometric) == (10.0, 8.0)
    assert math.isclose(fans(Layer("other", (4, 3, 2))).fan_in, 6.0)
