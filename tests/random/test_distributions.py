from __future__ import annotations

import math

import pytest
import torch

from initium.errors import UsageError
from initium.random.distributions import (
    Blocks,
    Built,
    Constant,
    Draw,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)
from initium.random.fill import fill_
from initium.random.key import key_for

SCALABLE: tuple[Draw, ...] = (
    Constant(1.5),
    Uniform(-0.5, 1.0),
    Normal(0.25, 0.5),
    TruncatedNormal(0.0, 1.0),
    TruncatedNormal(1.0, 1.0, -3.0, 1.0, corrected=False),
    Orthogonal(1.0, 6, 4),
    Built(lambda shape, _key: torch.ones(shape)),
    Blocks(0, (2, 4), (Normal(0.0, 1.0), Constant(2.0))),
)


@pytest.mark.parametrize("draw", SCALABLE, ids=lambda draw: type(draw).__name__)
@pytest.mark.parametrize("factor", [0.5, 2.0, 0.0])
def test_a_scaled_draw_is_the_draw_times_the_factor(draw: Draw, factor: float) -> None:
    key = key_for(0, "w")
    plain = fill_(torch.empty(6, 4), draw, key)
    scaled = fill_(torch.empty(6, 4), draw.scaled(factor), key)

    torch.testing.assert_close(scaled, plain * factor, rtol=1e-6, atol=1e-6)


def test_scaling_by_a_negative_factor_mirrors_the_distribution() -> None:
    assert Uniform(-1.0, 3.0).scaled(-2.0) == Uniform(-6.0, 2.0)
    assert Normal(1.0, 2.0).scaled(-1.0) == Normal(-1.0, 2.0)
    assert TruncatedNormal(1.0, 2.0, -1.0, 3.0).scaled(-1.0) == TruncatedNormal(-1.0, 2.0, -3.0, 1.0)


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Normal(0.0, -1.0), "std"),
        (lambda: Normal(math.nan, 1.0), "mean"),
        (lambda: Normal(0.0, math.inf), "std"),
        (lambda: TruncatedNormal(0.0, -0.1), "std"),
        (lambda: TruncatedNormal(0.0, 1.0, 2.0, 2.0), "interval"),
        (lambda: TruncatedNormal(0.0, 1.0, 3.0, -3.0), "interval"),
        (lambda: TruncatedNormal(0.0, 1.0, math.nan, 2.0), "interval"),
        (lambda: Uniform(1.0, 0.0), "interval"),
        (lambda: Uniform(0.0, math.inf), "high"),
        (lambda: Orthogonal(math.nan, 2, 2), "gain"),
        (lambda: Integers(3, 3), "interval"),
        (lambda: Integers(0, 2**31 + 1), "values"),
        (lambda: Integers(0, 2).scaled(2.0), "scaled"),
        (lambda: Blocks(0, (1, 2), (Constant(0.0),)), "sizes"),
    ],
)
def test_what_is_no_distribution_is_refused_in_three_parts(build: object, word: str) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        build()  # type: ignore[operator]

    assert caught.value.expected
    assert caught.value.remedy


def test_draws_are_data() -> None:
    assert Normal(0.0, 1.0) == Normal(0.0, 1.0)
    assert len({Normal(0.0, 1.0), Normal(0.0, 1.0), Uniform(0.0, 1.0)}) == 2
