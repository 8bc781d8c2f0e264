"""Results of old code are not taken for those of new code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from initium.study.trial import fingerprint as home
from initium.study.trial.fingerprint import fingerprint

SOURCE = "def make():\n    return 3\n"
FILES = {
    "net.py": "import helper\nfrom parts.layers import Layer\n\ndef make():\n    import lazy\n    return Layer(lazy)\n",
    "helper.py": "import json\nWIDTH = 3\n",
    "lazy.py": "",
    "parts/__init__.py": "",
    "parts/layers.py": "import helper\nfrom . import sizes\nfrom .kinds.base import Base\n\nLayer = Base\n",
    "parts/sizes.py": "DEPTH = 2\n",
    "parts/kinds/__init__.py": "from ..sizes import DEPTH\n",
    "parts/kinds/base.py": "class Base:\n    pass\n",
    "parts/helper.py": "",
    "apart.py": "",
}
APART = {"apart.py", "parts/helper.py"}
"""Files that nothing imports, one of them in the package and of the name of one outside."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def of_project(project: Path) -> str:
    """The fingerprint as a new process makes it, in which nothing of the project is loaded."""
    text = f"from initium.study.trial.fingerprint import fingerprint; print(fingerprint(['{project / 'net.py'}:make']))"
    return subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout


def test_changed_code_is_another_trial(tmp_path: Path) -> None:
    path = tmp_path / "changing.py"
    path.write_text(SOURCE)
    before = fingerprint([f"{path}:make"])
    assert before == fingerprint([f"{path}:make"]) != fingerprint([])
    path.write_text(SOURCE + "# another line\n")
    assert fingerprint([f"{path}:make"]) != before


def test_so_is_a_change_in_any_file_that_the_code_imports(project: Path) -> None:
    before = of_project(project)
    for name in APART:
        (project / name).write_text("# another line\n")
    assert of_project(project) == before
    seen = {before}
    for name in FILES.keys() - APART:
        (project / name).write_text(FILES[name] + "# another line\n")
        seen.add(of_project(project))
    assert len(seen) == 1 + len(FILES) - len(APART)  # each of them made another one


def test_a_file_that_cannot_be_read_as_code_counts_as_it_is(tmp_path: Path) -> None:
    path, old = tmp_path / "main.py", tmp_path / "old.py"
    path.write_text("try:\n    import old\nexcept SyntaxError:\n    old = None\n" + SOURCE)
    old.write_text("print 'another Python'\n")
    before = fingerprint([f"{path}:make"])
    old.write_text("print 'yet another'\n")
    assert fingerprint([f"{path}:make"]) != before


def test_so_is_another_version_of_a_package_that_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(["timm:create_model"])
    real = home.version
    monkeypatch.setattr(home, "version", lambda name: "99" if name == "timm" else real(name))
    assert fingerprint(["timm:create_model"]) != before


def test_code_without_a_file_has_a_fingerprint() -> None:
    assert fingerprint(["math:sqrt"]) != fingerprint(["math:exp"])
