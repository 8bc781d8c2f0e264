"""Errors have three parts, are Python's own kinds too, and survive a worker."""

from __future__ import annotations

import pickle

import pytest

from initium import errors
from initium.errors import InitiumError, UnknownNameError, unknown_name

BASES = {
    "UsageError": ValueError,
    "UnknownNameError": errors.UsageError,
    "PlanMismatchError": errors.UsageError,
    "LayerError": errors.UsageError,
    "UsageTypeError": TypeError,
    "ContractError": TypeError,
    "ModelRunError": RuntimeError,
    "ApplyError": RuntimeError,
    "OutputError": OSError,
    "StoreError": RuntimeError,
    "TrialError": RuntimeError,
    "EngineError": RuntimeError,
    "ClusterError": ConnectionError,
    "MissingExtraError": ImportError,
    "UnhealthyModelError": InitiumError,
}


def test_every_error_is_here() -> None:
    found = {
        name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, InitiumError)
    }
    assert found == {"InitiumError", *BASES}


@pytest.mark.parametrize(("name", "base"), BASES.items())
def test_an_error_is_of_its_kind_and_tells_three_things(name: str, base: type) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, InitiumError)
    assert issubclass(kind, base)
    error = kind("3 rows", expected="4 rows", remedy="add one")
    assert str(error) == "3 rows\n  expected: 4 rows\n  what to do: add one"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.seen, again.expected, again.remedy) == ("3 rows", "4 rows", "add one")
    assert str(again) == str(error)


def test_an_unknown_name_is_told_with_the_nearest_and_a_short_list_in_full() -> None:
    error = unknown_name("fruit", "kiwy", ["pear", "apple", "maple", "kiwi"])
    assert isinstance(error, UnknownNameError)
    assert error.seen == "unknown fruit 'kiwy'"
    assert error.expected == "one of apple, kiwi, maple, pear"
    assert error.remedy == "did you mean kiwi?"


def test_of_a_long_list_only_what_is_alike_is_told() -> None:
    """24 names are listed in full, of 25 those like the one given, and how many more there are."""
    short, long = ([f"name{i:02d}" for i in range(num)] for num in (24, 25))
    assert unknown_name("n", "name99", short).expected == f"one of {', '.join(short)}"
    assert unknown_name("n", "name99", long).expected.endswith(", and 1 more")
    told = unknown_name("n", "name99", [*long, "zzzzzz", "qqqqqq"]).expected
    assert "zzzzzz" not in told
    assert told.endswith("more")
    listed = told.removeprefix("one of ").partition(", and ")
    assert len(listed[0].split(", ")) + int(listed[2].split()[0]) == 27


def test_where_nothing_is_alike_everything_is_listed() -> None:
    error = unknown_name("n", "~~~~", [f"name{i:02d}" for i in range(40)])
    assert error.expected.count("name") == 40
    assert "did you mean" not in error.remedy
