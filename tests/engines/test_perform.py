"""What a worker tells."""

from __future__ import annotations

import json

from initium.engines.perform import perform


def test_a_result_is_told_with_its_time() -> None:
    told = json.loads(perform("initium.testing.engines:double", '{"x": 4}'))
    assert told["result"] == {"x": 8}
    assert told["seconds"] >= 0


def test_an_error_is_told_with_its_place() -> None:
    told = json.loads(perform("initium.testing.engines:double", "{}"))
    assert told["cause"] == "error"
    assert told["message"].startswith("KeyError: 'x' (")
    assert "engines.py:" in told["message"]


def test_a_function_that_is_not_there_is_an_error() -> None:
    assert "cannot be imported" in json.loads(perform("no.such:f", "{}"))["message"]
