from __future__ import annotations

import pytest

from initium.diagnose import Finding
from initium.diagnose.finding import plan_rule, worst_first


def finding(code: str, severity: str, cost: float = 0.0, where: tuple[str, ...] = ("a.weight",)) -> Finding:
    return Finding(code, severity, where, "seen", "expected", "why", "remedy", None, cost)  # type: ignore[arg-type]


def test_worst_first() -> None:
    given = [
        finding("IN704", "info"),
        finding("IN303", "warning"),
        finding("IN601", "warning", 1.0),
        finding("IN201", "error"),
        finding("IN101", "error"),
    ]
    assert [f.code for f in worst_first(given)] == ["IN101", "IN201", "IN601", "IN303", "IN704"]


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (("a",), "a"),
        (("a", "b", "c"), "a, b, c"),
        (("a", "b", "c", "d", "e"), "a, b, c and 2 more"),
        (("",), "(the model itself)"),
    ],
)
def test_places(where: tuple[str, ...], place: str) -> None:
    assert finding("IN101", "error", where=where).place == place


def test_text() -> None:
    assert str(finding("IN101", "error")) == "IN101 error: a.weight: seen"
    assert str(finding("IN101", "error", where=())) == "IN101 error: seen"


def test_rules_match_the_name_and_nothing_else() -> None:
    from fnmatch import fnmatchcase

    rule = plan_rule("layers[0].weight", "constant", value=0.5)
    assert fnmatchcase("layers[0].weight", rule["where"])
    assert rule["params"] == {"value": 0.5}
