"""Which installed modules functions need."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from initium.engines.processes.libraries import libraries_of
from initium.engines.reference import function_of

INNER = """
import hypothesis.strategies
from torch import nn

class Net(nn.Module):
    pass
"""
OUTER = """
import json
from inner import Net
from torch.nn import Linear

class Odd:
    def __getattr__(self, name):
        raise RuntimeError(name)

odd = Odd()
def make():
    return Net(Linear)
"""


@pytest.fixture
def outer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A reference into a file of the user that imports another one."""
    (tmp_path / "inner.py").write_text(INNER)
    (tmp_path / "outer.py").write_text(OUTER)
    monkeypatch.delitem(sys.modules, "inner", raising=False)
    return f"{tmp_path / 'outer.py'}:make"


def test_what_a_users_files_use_is_found(outer: str) -> None:
    function_of(outer)
    assert libraries_of([outer]) == {"hypothesis", "torch.nn", torch.nn.Linear.__module__}


def test_nothing_is_loaded_to_find_out(outer: str) -> None:
    assert libraries_of([outer]) == frozenset()
    assert libraries_of(["no.such.module:make", ""]) == frozenset()


def test_of_an_installed_module_only_itself(outer: str) -> None:
    assert libraries_of([f"{np.linalg.__name__}:norm", "json:dumps"]) == {"numpy.linalg"}
