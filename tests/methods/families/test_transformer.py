from __future__ import annotations

import math

import pytest
import torch

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.kit.law import law
from initium.random.distributions import Blocks, Constant, TruncatedNormal
from initium.theory.layer import Layer

SQUARE, NARROW = Layer("linear", (64, 64)), Layer("linear", (64, 256))
TABLE = Layer("embedding", (1000, 64), out_axis=1, in_axis=0)


def std(name, layer, **params):
    return law(find(name)(layer, **params)).std


@pytest.mark.parametrize(
    ("rule", "expected"), [("torch", 1.0), ("gpt", 0.02), ("width", 0.125), ("small", 1e-4)]
)
def test_embedding_rules(rule, expected):
    assert std("embedding", TABLE, rule=rule) == pytest.approx(expected)
    assert std("embedding", TABLE, rule=rule, std=0.5) == 0.5


def test_the_padding_row_of_an_embedding_stays_zero():
    draw = find("embedding")(TABLE, std=0.5, padding=3)
    assert isinstance(draw, Blocks)
    assert draw.sizes == (3, 1, 996)
    assert draw.draws[1] == Constant(0.0)
    assert find("embedding")(TABLE, padding=0).sizes == (1, 999)
    with pytest.raises(LayerError, match="padding=1000"):
        find("embedding")(TABLE, padding=1000)


def test_fixed_scales():
    assert std("gpt2", NARROW) == 0.02
    assert std("gpt2", NARROW, num_layers=8, residual=True) == pytest.approx(0.02 / 4)
    assert std("depth_scaled", SQUARE, index=1, residual=True) == pytest.approx(0.01)
    assert std("depth_scaled", SQUARE, index=1) == 0.02


def test_scales_by_width():
    assert std("small_init", SQUARE) == pytest.approx(math.sqrt(2 / 320))
    assert std("small_init", NARROW, width=64) == pytest.approx(math.sqrt(2 / 320))
    assert std("wang", NARROW, num_layers=10) == pytest.approx(2 / (10 * 8))
    assert std("ngpt", SQUARE) == pytest.approx(1 / 8)
    assert std("ngpt", NARROW, width=64, num_layers=8, residual=True) == pytest.approx(1 / 32)


def test_mitchell_and_its_cut():
    assert std("mitchell", NARROW, index=1, residual=True) == pytest.approx(1 / math.sqrt(4 * 256))
    as_olmo = find("mitchell")(SQUARE, corrected=False)
    assert as_olmo == TruncatedNormal(0.0, 0.125, -3.0, 3.0, False)
    assert law(as_olmo).std / 0.125 == pytest.approx(0.9866, abs=1e-4)


def test_scaled_embedding():
    assert std("scaled_embedding", TABLE, part="embedding") == 1.0
    assert std("scaled_embedding", SQUARE, part="residual", num_layers=2) == pytest.approx(
        math.sqrt(2 / 320) / 2
    )


def test_mup_logits_shrink_with_width():
    """Correlated updates add up with the width: hidden weights keep 1/fan_in, the output takes 1/fan_in^2."""
    for width in (64, 256, 1024):
        layer = Layer("linear", (10, width))
        assert std("mup", layer, role="output", base_width=256) == pytest.approx(16 / width)
        assert std("mup", Layer("linear", (width, width))) == pytest.approx(width**-0.5)
    assert find("mup")(SQUARE, role="output", zero_output=True) == Constant(0.0)


def test_a_stream_with_depth_scaling_stays_bounded():
    """L branches of variance 1 / L each: the stream doubles; without, it grows L-fold."""
    x = torch.randn(32, 128, generator=torch.Generator().manual_seed(0))
    from tests.methods.made import made

    layer, start = Layer("linear", (128, 128)), x.square().mean().item()
    for seed in range(16):
        h = x / x.square().mean(1, keepdim=True).sqrt()
        x = x + h @ made("gpt2", layer, seed, std=128**-0.5, num_layers=8, residual=True).T
    assert x.square().mean().item() / start == pytest.approx(2.0, rel=0.1)
