"""Hostile plain data in specs, results and stores: an error of ours or nothing, never code and never another error."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from initium.errors import InitiumError
from initium.study.run.store import Store
from initium.study.trial.inits import Health
from initium.study.trial.spec import TrialSpec
from initium.study.trial.trial import TrialResult

SPEC = TrialSpec("mlp8-relu", {"kind": "policy", "policy": "auto"}, {"kind": "classification"})
RESULT = TrialResult((2.3, 1.1), 1.7, 1.1, 0.5, 1.2, False, 2, 0.1, Health("healthy", 0.25, "auto"))

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["os:system", "__import__('os')", "<script>", "'; DROP TABLE trials; --", "\x00", "1e999"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def changed(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Good data of which some fields are replaced, left out or added."""
    keys = st.sampled_from([*good, "unknown"])
    changes = st.dictionaries(keys, VALUES, max_size=3)
    gone = st.sets(st.sampled_from(list(good)), max_size=1)
    return st.builds(
        lambda new, out: {key: one for key, one in {**good, **new}.items() if key not in out}, changes, gone
    )


def takes_or_refuses(take: Callable[[Any], Any], data: Any) -> Any:
    """What it makes of the data; None if it refuses them with an error of ours."""
    with suppress(InitiumError):
        return take(data)
    return None


@given(changed(SPEC.to_data()) | VALUES)
def test_specs(data: Any) -> None:
    spec = takes_or_refuses(TrialSpec.from_data, data)
    if spec is not None:
        assert TrialSpec.from_data(json.loads(json.dumps(spec.to_data()))).key == spec.key


@given(changed(RESULT.to_data()) | changed({**RESULT.to_data(), "health": {}}) | VALUES)
def test_results(data: Any) -> None:
    result = takes_or_refuses(TrialResult.from_data, data)
    if result is not None:
        assert isinstance(result.area, float)
        assert isinstance(result.losses, tuple)
        assert isinstance(result.health, Health)
        assert {one.name for one in fields(result)} == set(result.to_data())


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "study.db"
    with Store(path) as store:
        store.put(SPEC, RESULT)
    return path


TEXTS = changed(RESULT.to_data()).map(json.dumps) | VALUES.map(json.dumps) | st.text(max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changed(RESULT.to_data()).map(json.dumps)
    | VALUES.map(json.dumps)
    | st.text(max_size=30)
    | st.binary(max_size=9)
)
def test_rows_of_a_store(filled: Path, told: str | bytes) -> None:
    with closing(sqlite3.connect(filled)) as base, base:
        base.execute("UPDATE trials SET result = ?", (told,))
    before = set(sys.modules)
    with Store(filled) as store:
        takes_or_refuses(store.results, [SPEC.key])
    assert "antigravity" not in set(sys.modules) - before
