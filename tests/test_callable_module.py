from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import initium


@pytest.mark.parametrize("name", ["plan", "diagnose", "record", "methods"])
def test_a_package_that_is_asked_for_first_by_its_verb_stays_a_package(name):
    """In a new process, where nothing has imported the package yet."""
    seen = f"import sys, initium; print(initium.{name} is sys.modules['initium.{name}'], callable(initium.{name}))"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_a_package_has_the_signature_of_its_verb():
    assert list(inspect.signature(initium.diagnose).parameters)[:2] == ["model", "inputs"]
