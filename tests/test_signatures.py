from __future__ import annotations

from initium.signatures import misfit


def test_what_does_not_bind_is_said() -> None:
    assert misfit(print, 1, 2, sep="") == ""
    assert "missing a required argument" in misfit(lambda a, b: a, 1)
    assert "too many positional" in misfit(lambda a: a, 1, 2)
    assert "unexpected keyword" in misfit(lambda a: a, 1, b=2)
    assert misfit(None) == "a NoneType cannot be called"
    assert misfit(dict.fromkeys, [1]) == ""
