from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.errors import UsageError
from initium.keywords import keyword, keywords


@given(st.text())
def test_any_value_is_read_without_running_anything(value):
    key, read = keyword(f"key={value}")
    assert key == "key"
    assert read is None or isinstance(
        read, str | int | float | complex | bytes | tuple | list | dict | set | bool
    )


def test_values_that_look_like_code_stay_text():
    assert keyword("x=__import__('os').getcwd()") == ("x", "__import__('os').getcwd()")
    assert keyword("x=a=b") == ("x", "a=b")
    assert keyword("x=1e-3") == ("x", 0.001)


@pytest.mark.parametrize("text", ["x", "=1", "1x=2", "a b=3", ""])
def test_what_is_no_keyword_is_told_in_three_parts(text):
    with pytest.raises(UsageError, match="what to do: write for example depth=20"):
        keyword(text)


def test_a_key_may_be_given_once():
    assert keywords(("a=1", "b=2")) == {"a": 1, "b": 2}
    with pytest.raises(UsageError, match="a is given more than once"):
        keywords(("a=1", "a=2"))
