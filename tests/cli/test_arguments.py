from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.cli.arguments import InputSpec


@given(st.lists(st.integers(1, 9999), min_size=1, max_size=5), st.none() | st.integers(1, 10**6))
def test_shapes_are_read_back(sizes, below):
    text = "x".join(map(str, sizes)) + (f"@{below}" if below else "")
    assert InputSpec.parse(text) == InputSpec(tuple(sizes), below)


@pytest.mark.parametrize(
    "text", ["", "3x", "x3", "3x-1", "0", "3x0x2", "a", "3@", "3@0", "3@-2", "3,4", "3x4@5@6"]
)
def test_what_is_no_shape_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - click makes the message
        InputSpec.parse(text)


@given(st.text())
def test_any_text_is_a_shape_or_refused(text):
    try:
        spec = InputSpec.parse(text)
    except ValueError:
        return
    assert all(size > 0 for size in spec.shape)
