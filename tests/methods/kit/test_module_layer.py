from __future__ import annotations

import pytest
import torch
from torch import nn

from initium.errors import UsageError
from initium.methods.kit.module_layer import layer_of
from initium.theory.layer import Layer


def test_linear_and_its_bias():
    assert layer_of(nn.Linear(3, 5)) == Layer("linear", (5, 3))
    assert layer_of(nn.Linear(3, 5), "bias") == Layer("vector", (5,))


def test_convolutions():
    module = nn.Conv2d(4, 8, (3, 5), stride=2, padding=(1, 2), dilation=2, groups=2)
    assert layer_of(module) == Layer(
        "conv", (8, 2, 3, 5), groups=2, stride=(2, 2), padding=(1, 2), dilation=(2, 2)
    )
    same = layer_of(nn.Conv1d(4, 4, 5, padding="same", dilation=2))
    assert same.padding == (4,)
    assert layer_of(nn.Conv1d(4, 4, 5, padding="valid")).padding == (0,)


def test_transposed_convolutions():
    module = nn.ConvTranspose3d(4, 6, 3, stride=2, output_padding=1, groups=2)
    layer = layer_of(module)
    assert (layer.kind, layer.shape, layer.in_axis, layer.out_axis) == (
        "conv_transpose",
        (4, 3, 3, 3, 3),
        0,
        1,
    )
    assert (layer.num_in, layer.num_out, layer.output_padding) == (4, 6, (1, 1, 1))


def test_packed_attention_and_recurrent_gates():
    attention = nn.MultiheadAttention(8, 2)
    assert layer_of(attention, "in_proj_weight").blocks == (8, 8, 8)
    assert layer_of(nn.MultiheadAttention(8, 2, kdim=4), "k_proj_weight") == Layer("linear", (8, 4))
    assert layer_of(nn.LSTM(3, 5), "weight_ih_l0").blocks == (5,) * 4
    assert layer_of(nn.GRU(3, 5), "weight_hh_l0").blocks == (5,) * 3
    assert layer_of(nn.RNN(3, 5), "weight_hh_l0").blocks == ()
    assert layer_of(nn.LSTM(3, 5, proj_size=2), "weight_hr_l0").blocks == ()


def test_the_others():
    assert layer_of(nn.Embedding(10, 3)).num_out == 3
    assert layer_of(nn.Bilinear(2, 3, 4)).kind == "other"
    for module in (nn.LayerNorm([4, 5]), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.PReLU()):
        assert layer_of(module).kind == "vector"
    module = nn.Module()
    module.table = nn.Parameter(torch.zeros(3, 4, 5))
    assert layer_of(module, "table").kind == "other"


def test_meta_modules_have_layers_too():
    with torch.device("meta"):
        assert layer_of(nn.Linear(3, 5)) == Layer("linear", (5, 3))


def test_lazy_and_missing_parameters():
    with pytest.raises(UsageError, match="run one batch"):
        layer_of(nn.LazyLinear(4))
    with pytest.raises(UsageError, match="weight, bias"):
        layer_of(nn.Linear(2, 2), "wieght")
    with pytest.raises(UsageError, match="no parameter 'bias'"):
        layer_of(nn.Linear(2, 2, bias=False), "bias")
    with pytest.raises(UsageError, match="in_proj_weight"):
        layer_of(nn.MultiheadAttention(8, 2))
