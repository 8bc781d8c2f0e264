from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.errors import UsageTypeError
from initium.random.key import Key, key_for


def test_keys_are_the_same_for_ever() -> None:
    assert key_for(0, "layer.weight") == (0x633F93B7, 0xB9E01D47, 0x8DC84619, 0xA757ED27)
    assert key_for(0, "layer.weight").child("block0") == (0xA2023DE6, 0x84BF7459, 0xF392E92E, 0xF0F7554C)


@given(st.integers(), st.text())
def test_any_integer_and_any_name_give_four_words(seed: int, name: str) -> None:
    key = key_for(seed, name)

    assert all(0 <= word < 2**32 for word in key)
    assert key == key_for(seed, name)


def test_every_difference_gives_another_key() -> None:
    keys = [
        key_for(seed, name) for seed in (-1, 0, 1, 2**64, 2**64 + 1) for name in ("", "a", "b", "ab", "a.b")
    ]
    keys += [keys[0].child(tag) for tag in ("", "0", "1")] + [keys[1].child("0")]

    assert len(set(keys)) == len(keys)


def test_numpy_integers_are_integers() -> None:
    assert key_for(np.int64(7), "w") == key_for(7, "w")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [0.0, 1.5, "0", None, True, (1,)])
def test_a_seed_that_is_no_integer_is_refused(seed: object) -> None:
    with pytest.raises(UsageTypeError, match="seed"):
        key_for(seed, "w")  # type: ignore[arg-type]


def test_a_name_that_is_no_string_is_refused() -> None:
    with pytest.raises(UsageTypeError, match="name"):
        key_for(0, b"w")  # type: ignore[arg-type]


def test_a_key_is_plain_words() -> None:
    assert Key(1, 2, 3, 4) == (1, 2, 3, 4)
