"""The examples in the docstrings run and give what they say, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest
import torch

import initium

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    importlib.import_module(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = doctest.testmod(sys.modules[name])
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("name", sorted(initium._HOMES))
def test_public_names_have_an_example_and_are_in_the_manual(name):
    assert re.search(rf"^\.\. auto\w+:: initium\..*\.{name}$", API, re.MULTILINE)
    public = getattr(initium, name)
    text = inspect.getdoc(getattr(public, name) if inspect.ismodule(public) else public) or ""
    assert "Example:\n    >>> " in text
