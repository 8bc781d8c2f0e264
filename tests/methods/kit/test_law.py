from __future__ import annotations

import math

import pytest
import torch

from initium.methods.kit.law import Law, law, truncation
from initium.random.distributions import (
    Blocks,
    Built,
    Constant,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)


def test_closed_forms():
    assert law(Constant(3.0)) == Law(3.0, 0.0)
    assert law(Uniform(-1, 3)) == Law(1.0, 16 / 12)
    assert law(Normal(1.0, 2.0)) == Law(1.0, 4.0)
    assert law(Orthogonal(2.0, 4, 8)) == Law(0.0, 0.5)
    assert law(Integers(0, 3)) == Law(1.0, pytest.approx(2 / 3))
    assert law(TruncatedNormal(0.0, 0.02)).std == pytest.approx(0.02)
    assert law(TruncatedNormal(0.0, 1.0, -2, 2, False)).std == pytest.approx(0.87962566103423978)


def test_blocks_have_a_law_when_they_agree():
    assert law(Blocks(0, (2, 2), (Normal(0, 1), Normal(0, 1)))) == Law(0, 1)
    assert law(Blocks(0, (2, 2), (Normal(0, 1), Normal(0, 2)))) is None
    assert law(Built(lambda shape, key: torch.zeros(shape))) is None


def test_truncation_far_out_keeps_its_digits():
    mean, std = truncation(8.0, math.inf)
    assert mean == pytest.approx(8.1207, abs=1e-3)  # z + 1/z - 2/z^3
    assert 0.1 < std < 0.13
    assert truncation(-math.inf, -8.0)[0] == pytest.approx(-mean)
    assert truncation(-math.inf, math.inf) == pytest.approx((0, 1))
