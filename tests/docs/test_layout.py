"""The page of the layout is what the contracts and the docstrings say now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def make_layout() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_layout", ROOT / "docs" / "make_layout.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_as_it_would_be_made_now(make_layout: ModuleType) -> None:
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    assert make_layout.page(text) == text, "run python docs/make_layout.py"


def test_what_is_written_by_hand_is_kept(make_layout: ModuleType) -> None:
    old = f"# Title\n\n{make_layout.BEGIN}\nold rooms\n{make_layout.END}\n\n## By hand\n"
    made = make_layout.page(old)
    assert made.startswith("# Title\n")
    assert made.endswith("\n\n## By hand\n")
    assert "old rooms" not in made


def test_every_room_stands_in_the_tree(make_layout: ModuleType) -> None:
    made = make_layout.rooms(make_layout.contracts())
    for room in sorted((ROOT / "src" / "initium").rglob("*/__init__.py")):
        assert f" {room.parent.name}/" in made


def test_a_contract_that_changes_changes_the_page(make_layout: ModuleType) -> None:
    held = make_layout.contracts()
    before = make_layout.rooms(held)
    held.append(
        {"name": "new", "type": "layers", "containers": ["initium.x"], "layers": ["a | (b)", "c : d"]}
    )
    held.append(
        {
            "name": "never",
            "type": "forbidden",
            "source_modules": ["initium.a"],
            "forbidden_modules": ["initium.b"],
        }
    )
    after = make_layout.rooms(held)
    assert after.removeprefix(before) == "* new: `a` | `b` > `c` : `d`.\n* never: `a` do not import `b`.\n"
