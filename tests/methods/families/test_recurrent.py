from __future__ import annotations

import math

import pytest
import torch
from tests.methods.made import made
from torch import nn

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.kit.module_layer import layer_of
from initium.theory.layer import Layer


def test_forget_bias_opens_the_forget_gate():
    lstm = nn.LSTM(3, 5, batch_first=True)
    with torch.no_grad():
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
            getattr(lstm, name).zero_()
        lstm.bias_ih_l0.copy_(made("forget_bias", layer_of(lstm, "bias_ih_l0"), value=2.0))
        state = torch.ones(1, 1, 5)
        _, (_, cell) = lstm(torch.zeros(1, 1, 3), (torch.zeros(1, 1, 5), state))
    assert torch.allclose(cell, torch.sigmoid(torch.tensor(2.0)).expand(1, 1, 5))


def test_chrono_memories_are_spread_up_to_the_longest():
    bias = made("chrono", Layer("vector", (40_000,)), longest=500.0)
    into, forget, cell, out = bias.chunk(4)
    assert torch.equal(into, -forget)
    assert cell.abs().max() == out.abs().max() == 0
    spans = forget.exp().sort()[0]
    assert spans[0] >= 1
    assert spans[-1] <= 499 * (1 + 1e-5)
    uniform = (spans - 1) / 498
    assert (uniform - (torch.arange(10_000) + 0.5) / 10_000).abs().max() < 2.5 / 100


def test_gates_must_divide_the_bias():
    with pytest.raises(LayerError, match="4 equal blocks"):
        find("chrono")(Layer("vector", (7,)))


def test_irnn_keeps_its_sum():
    assert torch.equal(made("irnn", Layer("linear", (6, 6))), torch.eye(6))
    assert find("irnn")(Layer("linear", (6, 3)), part="input").std == 0.001


def test_recurrent_orthogonal_is_a_matrix_per_gate():
    weight = made("orthogonal", layer_of(nn.GRU(4, 6), "weight_hh_l0"))
    for gate in weight.chunk(3):
        assert torch.allclose(gate @ gate.T, torch.eye(6), atol=1e-5)


def test_rnn_bias_needs_the_hidden_size():
    with pytest.raises(LayerError, match="size of the state"):
        find("rnn_uniform")(Layer("vector", (20,)))


def test_state_spaces():
    assert torch.allclose(made("s4d", Layer("other", (3, 5))).exp(), torch.arange(1.0, 6.0).expand(3, 5))
    ring = made("s4d", Layer("other", (3, 5)), variant="lin_imag")
    assert torch.allclose(ring, math.pi * torch.arange(5.0).expand(3, 5))
    assert made("s4d", Layer("other", (3, 5)), variant="lin_real").exp().unique().item() == pytest.approx(0.5)


def test_steps_are_log_uniform():
    steps = nn.functional.softplus(made("ssm_step", Layer("vector", (20_000,)))).log().sort()[0]
    uniform = (steps - math.log(1e-3)) / math.log(100)
    assert (uniform - (torch.arange(20_000) + 0.5) / 20_000).abs().max() < 2.5 / math.sqrt(20_000)
