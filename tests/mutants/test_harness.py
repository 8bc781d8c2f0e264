from __future__ import annotations

from pathlib import Path

import pytest
from tests.mutants import harness
from tests.mutants.harness import Result, enough, judge, read, table
from tests.mutants.lists import MUTANTS
from tests.mutants.mutant import SOURCE, Mutant, MutantError
from tests.mutants.overlay import overlaid

TEST = ("test_callable_module.py",)
BROKEN = Mutant("callable_module.py", "return ", "return None and ", TEST, "calling does nothing")
HARMLESS = Mutant("errors.py", '"""', '"""\n', TEST, "a line more", "it is a text")


def test_every_mutant_of_the_lists_can_be_made():
    assert len(MUTANTS) >= 150
    for one in MUTANTS:
        assert one.source() != (SOURCE / one.file).read_text(encoding="utf-8")
        assert one.test_files()
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)
    packages = {"random", "theory", "methods", "record", "predict", "diagnose", "plan", "study", "engines", "report",
                "cli", "data"}  # fmt: skip
    assert {one.package for one in MUTANTS} == packages


@pytest.mark.parametrize(
    ("mutant", "said"),
    [
        (Mutant("errors.py", "no such text", "", TEST, "gone"), "stands there 0 times"),
        (Mutant("errors.py", "self", "", TEST, "often"), "times, not once"),
        (Mutant("no_file.py", "a", "b", TEST, "nowhere"), "no file no_file.py"),
        (Mutant("keywords.py", "from __future__", "", ("test_none.py",), "untested"), "no test test_none.py"),
    ],
)
def test_a_mutant_that_cannot_be_made_is_an_error(mutant, said):
    with pytest.raises(MutantError, match=said):
        _ = mutant.source(), mutant.test_files()


def test_the_mirrored_test_goes_first():
    one = Mutant("random/key.py", "a", "b", ("random/test_fill.py", "random/test_key.py"), "")
    assert one.test_files() == ("random/test_key.py", "random/test_fill.py")


def test_an_overlay_replaces_one_file_and_leaves_the_tree_alone(tmp_path):
    before = (SOURCE / "random" / "key.py").read_bytes()
    folder = overlaid(tmp_path, SOURCE, "random/key.py", "NEW = 1\n")
    assert (folder / "initium" / "random" / "key.py").read_text() == "NEW = 1\n"
    assert (folder / "initium" / "theory").resolve() == SOURCE / "theory"
    assert (folder / "initium" / "random" / "fill.py").resolve() == SOURCE / "random" / "fill.py"
    here = {path.relative_to(folder / "initium") for path in (folder / "initium" / "random").iterdir()}
    assert here == {path.relative_to(SOURCE) for path in (SOURCE / "random").iterdir()}
    assert not list((folder / "initium" / "random").glob("__pycache__/key.*"))
    assert (SOURCE / "random" / "key.py").read_bytes() == before


def outcome(text: str | None, test: str, tmp_path: Path, monkeypatch, limit: float = 60.0) -> Result:
    """Of a test in a folder of its own, on a package in which a module that is quick to import is replaced."""
    (tmp_path / "test_it.py").write_text(test)
    monkeypatch.setattr(harness, "TESTS", tmp_path)
    (one,) = harness.run([harness.Job("key", ("test_it.py",), "keywords.py", text, limit)], 1)
    return one


SOUND = """
from importlib.machinery import PathFinder

def test_it():
    found = PathFinder.find_spec("initium").origin
    """


def test_a_change_that_fails_a_test_is_noticed_and_one_that_does_not_is_not(tmp_path, monkeypatch):
    look = (
        SOUND
        + "text = open(found.replace('__init__.py', 'keywords.py')).read()\n    assert 'BROKEN' not in text\n"
    )
    assert outcome("BROKEN = 1\n", look, tmp_path, monkeypatch).outcome == "noticed"
    assert outcome("FINE = 1\n", look, tmp_path, monkeypatch).outcome == "not noticed"
    assert outcome(None, look, tmp_path, monkeypatch).outcome == "not noticed"


def test_tests_that_do_not_end_are_ended_and_those_that_are_not_there_are_no_verdict(tmp_path, monkeypatch):
    slow = outcome("", "import time\ndef test_it():\n    time.sleep(60)\n", tmp_path, monkeypatch, limit=1.0)
    assert slow.outcome == "too slow"
    assert slow.noticed
    assert outcome("", "", tmp_path, monkeypatch).outcome == "error"


def test_the_table_names_what_was_not_noticed_and_the_share_decides():
    some = [BROKEN, HARMLESS]
    found = [Result("a", "", "noticed", 1.0, ""), Result("b", "", "not noticed", 1.0, "")]
    text = table(some, found)
    assert "all                1        2  50.0%" in text
    assert "not noticed: errors.py: a line more\n    it is a text" in text
    assert not enough(found)
    assert enough(found[:1] * 19 + found[1:])
    assert not enough(found[:1] * 99 + [Result("c", "", "error", 1.0, "")])


def test_results_that_still_hold_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "run", lambda jobs, num: pytest.fail("nothing is to be run"))
    path = tmp_path / "results.jsonl"
    key = MUTANTS[0].digest()
    path.write_text(f'{{"digest": "{key}", "name": "x", "outcome": "noticed", "seconds": 1.0, "said": ""}}\n')
    assert judge([MUTANTS[0]], path, 1) == [read(path)[key]]
