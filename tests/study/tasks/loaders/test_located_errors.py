"""Places in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.study.tasks.loaders.located_errors import line_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(data=st.data(), value=VALUES, indent=st.sampled_from([None, 0, 1, 4]))
def test_the_line_is_where_the_value_starts(
    data: Any, value: Any, indent: int | None, tmp_path_factory: Any
) -> None:
    keys: list[str | int] = []
    here = marked = json.loads(json.dumps(value))
    holder: Any = None
    while isinstance(here, (list, dict)) and here:
        key = data.draw(st.sampled_from(range(len(here)) if isinstance(here, list) else sorted(here)))
        keys.append(key)
        holder, here = here, here[key]
    if holder is not None:
        holder[keys[-1]] = "MARK" * 4
    path: Path = tmp_path_factory.mktemp("x") / "x.json"
    path.write_text(json.dumps(marked, indent=indent), encoding="utf-8")
    lines = path.read_text(encoding="utf-8").split("\n")
    expected = next((i for i, line in enumerate(lines, start=1) if "MARK" * 4 in line), 1)
    assert line_of(path, keys) == expected


@pytest.mark.parametrize("keys", [["b"], ["a", 3], ["a", "x"], [0]])
def test_a_value_that_is_not_there_has_no_line(keys: list[str | int], tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": [1, 2]}')
    assert line_of(path, keys) is None
