from __future__ import annotations

import math

import pytest

from initium.errors import LayerError
from initium.methods.catalogue import find
from initium.methods.families.post_norm import deepnorm_scales
from initium.methods.kit.law import law
from initium.random.distributions import Blocks, Constant
from initium.theory.layer import Layer

SQUARE, WIDE = Layer("linear", (64, 64)), Layer("linear", (256, 64))
TABLE = Layer("embedding", (1000, 64), out_axis=1, in_axis=0)
XAVIER = 2 / (64 + 256)


def std(name, layer, **params):
    return law(find(name)(layer, **params)).std


def test_t_fixup():
    assert std("t_fixup", TABLE, part="embedding", num_layers=6) == pytest.approx(0.125 * 54**-0.25)
    assert std("t_fixup", WIDE, num_layers=6) == pytest.approx(math.sqrt(XAVIER) * 0.67 * 6**-0.25)
    assert std("t_fixup", WIDE, num_layers=6, side="decoder") == pytest.approx(math.sqrt(XAVIER) * 54**-0.25)
    assert std("t_fixup", SQUARE, part="other") == pytest.approx(math.sqrt(1 / 64))


def test_dt_fixup():
    factor = (8 * (4 * 9 + 6 + 2)) ** -0.5
    assert std("dt_fixup", WIDE, num_layers=8, input_norm=3.0) == pytest.approx(math.sqrt(XAVIER) * factor)


def test_deepnorm_constants():
    assert deepnorm_scales("single", 18, 1, "encoder") == pytest.approx((36**0.25, 144**-0.25))
    encoder = deepnorm_scales("encoder_decoder", 6, 6, "encoder")
    assert encoder == pytest.approx((0.81 * 6 ** (5 / 16), 0.87 * 6 ** (-5 / 16)))
    assert deepnorm_scales("encoder_decoder", 6, 6, "decoder") == pytest.approx((18**0.25, 72**-0.25))


def test_packed_projections_get_their_gain_on_the_values_only():
    packed = Layer("linear", (192, 64), blocks=(64, 64, 64))
    draw = find("deepnorm")(packed, num_layers=18)
    assert isinstance(draw, Blocks)
    q, k, v = (law(part).std for part in draw.draws)
    assert q == k == pytest.approx(math.sqrt(1 / 64))
    assert v == pytest.approx(q * 144**-0.25)
    assert law(find("magneto")(packed, num_layers=12).draws[2]).std == pytest.approx(q * math.log(24) ** 0.5)


def test_magneto():
    gains = {"encoder": math.sqrt(math.log(18) * math.log(24) / 3), "decoder": math.sqrt(math.log(18))}
    for side, expected in gains.items():
        found = std("magneto", SQUARE, num_layers=12, num_decoder=6, side=side) * 8
        assert found == pytest.approx(expected)


def test_admin_is_the_root_of_what_was_measured():
    assert find("admin")(Layer("vector", (64,)), variance=2.25) == Constant(1.5)
    with pytest.raises(LayerError):
        find("admin")(SQUARE)
