"""Results of old code are not taken for those of new code."""

from __future__ import annotations

from pathlib import Path

from initium.study.fingerprint import fingerprint

SOURCE = "def make():\n    return 3\n"


def test_changed_code_is_another_trial(tmp_path: Path) -> None:
    path = tmp_path / "changing.py"
    path.write_text(SOURCE)
    before = fingerprint([f"{path}:make"])
    assert before == fingerprint([f"{path}:make"]) != fingerprint([])
    path.write_text(SOURCE + "# another line\n")
    assert fingerprint([f"{path}:make"]) != before
