"""Users' code type-checks: mypy --strict finds nothing in tests/typing."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_public_api_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    out, problems, status = api.run(["--strict", "tests/typing/api.py", "examples/materialize_torchrun.py"])
    assert status == 0, out + problems
