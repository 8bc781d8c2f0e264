"""Engines by name."""

from __future__ import annotations

import pytest

from initium.engines import engine_names, open_engine
from initium.errors import UnknownNameError


def test_names() -> None:
    assert open_engine("serial").name == "serial"
    assert open_engine("processes").name == "processes"
    assert engine_names() == ("processes", "serial", "ray")


def test_unknown_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match="did you mean processes"):
        open_engine("process")
