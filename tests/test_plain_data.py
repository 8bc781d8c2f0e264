from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from initium import plain_data


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (plain_data.text, "a"), (plain_data.whole, -3), (plain_data.number, 2), (plain_data.number, math.inf),
        (plain_data.number_or_none, None), (plain_data.number_or_none, 0.5),
    ],
)  # fmt: skip
def test_right_values_pass(check: Callable[[object], object], value: object) -> None:
    assert check(value) == value


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (plain_data.text, 1), (plain_data.text, None), (plain_data.texts, "abc"),
        (plain_data.texts, [1]), (plain_data.whole, True), (plain_data.whole, 1.0),
        (plain_data.number, True), (plain_data.number, "1"), (plain_data.number, 10**400),
        (plain_data.number_or_none, "x"),
    ],
)  # fmt: skip
def test_wrong_values_are_value_errors(check: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match=r"no text|no list|no whole|no number|beyond"):
        check(value)


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan])
def test_positive_means_finite_and_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match=r"scale .* positive"):
        plain_data.positive(value, "scale")
    assert plain_data.positive(2, "scale") == 2.0


def test_whole_has_a_lower_end() -> None:
    assert plain_data.whole(0, low=0) == 0
    with pytest.raises(ValueError, match="at least 0"):
        plain_data.whole(-1, low=0)
