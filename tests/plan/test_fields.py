from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from initium.plan import fields


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (fields.text, "a"), (fields.whole, -3), (fields.number, 2), (fields.number, math.inf),
        (fields.number_or_none, None), (fields.number_or_none, 0.5),
    ],
)  # fmt: skip
def test_right_values_pass(check: Callable[[object], object], value: object) -> None:
    assert check(value) == value


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (fields.text, 1), (fields.text, None), (fields.texts, "abc"), (fields.texts, [1]), (fields.whole, True),
        (fields.whole, 1.0), (fields.number, True), (fields.number, "1"), (fields.number, 10**400),
        (fields.number_or_none, "x"),
    ],
)  # fmt: skip
def test_wrong_values_are_value_errors(check: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match=r"no text|no list|no whole|no number|beyond"):
        check(value)


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_positive_means_finite_and_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match=r"scale .* positive"):
        fields.positive(value, "scale")
    assert fields.positive(2, "scale") == 2.0


def test_whole_has_a_lower_end() -> None:
    assert fields.whole(0, low=0) == 0
    with pytest.raises(ValueError, match="at least 0"):
        fields.whole(-1, low=0)
