from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tests.nets import mlp, noise, seeded, start
from torch import nn

import initium
from initium.diagnose import diagnose, limits
from initium.report import number, percent

SOURCES = Path(initium.__file__).parent
DOCS = SOURCES.parent.parent / "docs"
NUMBERS = {name: value for name, value in vars(limits).items() if name.isupper()}
ARITHMETIC = {-1, 0, 1, 2, 10}
"""Signs, halves, pairs and the base of decades: none of them is a limit."""


def judging() -> list[Path]:
    """The files that say what is healthy, `limits` itself and the drawing of a page aside."""
    files = sorted((SOURCES / "diagnose").rglob("*.py"))
    return [path for path in files if path.name not in ("limits.py", "view.py")]


def numbers_in(path: Path) -> Iterator[tuple[int, float]]:
    """(line, number) of every number in the code but those that say how many names a sentence lists."""
    tree = ast.parse(path.read_text())
    slices = {id(one) for node in ast.walk(tree) if isinstance(node, ast.Slice) for one in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) not in slices and isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield node.lineno, node.value


def spoken(value: float) -> set[str]:
    """How a sentence would write a number."""
    return {number(value), f"{value:g}", f"{value:,g}", *([percent(value)] if 0 < value < 1 else [])}


def test_no_file_that_judges_holds_a_number_of_its_own() -> None:
    found = {
        f"{path.relative_to(SOURCES)}:{line}: {value}"
        for path in judging()
        for line, value in numbers_in(path)
        if value not in ARITHMETIC
    }
    # The epsilon of torch's norms is a fact of torch, no limit.
    assert {re.sub(r":\d+:", ":", one) for one in found} == {"diagnose/trunk.py: 1e-05"}


def test_no_sentence_of_a_finding_spells_a_limit_out() -> None:
    words = {word for value in NUMBERS.values() if value not in ARITHMETIC for word in spoken(value)}
    pattern = re.compile(r"(?<![\w.,^{-])(" + "|".join(map(re.escape, sorted(words))) + r")(?![\w,]|\.\d)")
    found = []
    for path in judging():
        tree = ast.parse(path.read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            f"{path.name}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
            if pattern.search(node.value.replace("(p = 0.01)", ""))  # the usual prior of a rare class
        ]
    assert not found


def test_no_limit_is_written_again_under_another_name() -> None:
    """A constant of another package whose comment speaks of a sound value, a limit or the badness must import it."""
    about = re.compile(r"\b(sound|healthy|badness)\b")
    taken = set(NUMBERS.values()) - ARITHMETIC - {0.5}
    found = []
    for path in sorted(SOURCES.rglob("*.py")):
        body = ast.parse(path.read_text()).body if path.name != "limits.py" else []
        for one, after in pairwise(body):
            text = (
                after.value.value
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                else ""
            )
            if isinstance(one, ast.Assign) and about.search(str(text)):
                numbers = [node.value for node in ast.walk(one.value) if isinstance(node, ast.Constant)]
                found += [f"{path.relative_to(SOURCES)}: {value}" for value in numbers if value in taken]
    assert not found


def test_every_limit_has_a_line_that_says_what_it_bounds() -> None:
    body = ast.parse(Path(limits.__file__).read_text()).body
    for one, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(one, ast.Assign):
            assert isinstance(after, ast.Expr), ast.unparse(one)
    assert len(NUMBERS) > 30


def test_every_limit_is_used() -> None:
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py") if path.name != "limits.py")
    used = Path(limits.__file__).read_text()
    assert not [name for name in NUMBERS if name not in text and f"= {name}" not in used]


@pytest.mark.parametrize(
    ("criterion", "cell"),
    [("smallest signal", number(limits.LEAST_SECOND)), ("largest signal", number(limits.GREATEST_SECOND)),
     ("signal span", f"{number(limits.SIGNAL_DECADES)} decades"),
     ("gradient span", f"{number(limits.GRADIENT_DECADES)} decades"), ("output size", number(limits.OUTPUT_RMS)),
     ("between samples", number(limits.BETWEEN_SHARE)), ("zero gradient", percent(limits.ZERO_GRADIENT_SHARE)),
     ("duplicate units", percent(limits.DUPLICATE_SHARE))],
)  # fmt: skip
def test_the_manual_shows_the_limits_in_force(criterion: str, cell: str) -> None:
    rows = [line.split("|") for line in (DOCS / "diagnose.md").read_text().splitlines()]
    shown = {row[1].strip(): row[2].strip() for row in rows if len(row) > 3}
    assert shown[criterion] in (f"at least {cell}", f"at most {cell}")


def test_the_manual_knows_every_criterion() -> None:
    with seeded():
        report = diagnose(start(mlp(2, 8, nn.ReLU), nn.init.kaiming_normal_), noise(8, 8))
    rows = [
        line.split("|")[1].strip()
        for line in (DOCS / "diagnose.md").read_text().splitlines()
        if line[:1] == "|"
    ]
    assert [one.name for one in report.criteria] == rows[2:12]


def test_ranges_of_half_precision_are_those_of_torch() -> None:
    half = torch.finfo(torch.float16)
    assert half.max == limits.HALF_LARGEST
    assert half.smallest_normal * half.eps == pytest.approx(limits.HALF_SMALLEST, rel=0.01)


@pytest.mark.parametrize(("second", "code"), [(0.9, {"IN101"}), (1.1, set())])
def test_a_limit_decides_where_its_finding_begins(
    second: float, code: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The least measured second moment, just below and just above the limit in force."""
    with seeded():
        model, x = start(mlp(4, 16, nn.ReLU), nn.init.kaiming_normal_), noise(32, 16)
    least = min(point.second for point in diagnose(model, x).measures)
    monkeypatch.setattr(limits, "LEAST_SECOND", least / second)
    assert {one.code for one in diagnose(model, x).findings} & {"IN101"} == code
