"""What is imported last in the server that workers are forked from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from initium.engines.processes.preload import ASKED

CODE = """
import os, sys
import initium.engines.processes.server
print("served" in sys.modules, "INITIUM_PRELOAD" in os.environ, "torch" in sys.modules, file=sys.stderr)
"""


def told(tmp_path: Path, **variables: str) -> list[str]:
    (tmp_path / "served.py").write_text("value = 1")
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr.split()


def test_importing_it_loads_what_was_asked_for_and_no_more(tmp_path: Path) -> None:
    asked = json.dumps({"path": [str(tmp_path), *sys.path], "modules": ["served"]})
    assert told(tmp_path, **{ASKED: asked})[:2] == ["True", "False"]
    assert told(tmp_path)[:2] == ["False", "False"]
