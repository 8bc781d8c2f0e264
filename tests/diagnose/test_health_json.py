from __future__ import annotations

import json
import math
from typing import Any

import pytest
from tests.nets import mlp, noise, plain_conv, seeded, start
from torch import nn

from initium.diagnose import HealthReport, diagnose
from initium.errors import UsageError


@pytest.fixture(scope="module")
def report() -> HealthReport:
    with seeded():
        return diagnose(plain_conv(12, 8), noise(4, 3, 8, 8))


def test_round_trip(report: HealthReport) -> None:
    back = HealthReport.from_json(report.to_json())
    assert back.findings == report.findings
    assert back.criteria == report.criteria
    assert back.measures == report.measures
    assert back.verdict == report.verdict
    assert back.badness == report.badness
    assert back.record.model == report.record.model
    assert back.record.loss == report.record.loss
    assert back.to_json() == report.to_json()


def test_values_beyond_json_survive() -> None:
    model = start(mlp(2, 8, nn.ReLU), nn.init.zeros_)
    one = diagnose(model, noise(1, 8))
    text = one.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    back = HealthReport.from_json(text)
    assert math.isnan(back.measures[0].between)
    assert any(criterion.used == math.inf for criterion in back.criteria)
    assert back.to_json() == text


def test_it_is_plain_data(report: HealthReport) -> None:
    data = json.loads(report.to_json())
    assert data["format"] == "initium.health/1"
    assert data["verdict"] == "unhealthy"
    assert {"code", "severity", "where", "seen", "expected", "why", "remedy", "rule", "cost"} == set(
        data["findings"][0]
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"x"',
        "{}",
        '{"format": "initium.plan/1"}',
        '{"format": "initium.health/1"}',
        "[" * 100_000,
    ],
)
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(UsageError, match="health report"):
        HealthReport.from_json(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("findings",), {}),
        (("findings",), [3]),
        (("findings", 0, "severity"), "fatal"),
        (("findings", 0, "severity"), ["error"]),
        (("findings", 0, "where"), "a.weight"),
        (("findings", 0, "where"), [1]),
        (("findings", 0, "seen"), None),
        (("findings", 0, "cost"), "1"),
        (("findings", 0, "cost"), True),
        (("findings", 0, "rule"), "os.system"),
        (("findings", 0, "rule"), {"where": "a", "method": "b", "params": {"c": {"d": 1}}}),
        (("findings", 0, "rule"), {"where": "a", "method": 3, "params": {}}),
        (("criteria", 0, "limit"), "many"),
        (("criteria", 0, "value"), [1]),
        (("criteria", 0, "limit"), 10**400),
        (("measures", 0, "depth"), 1.5),
        (("measures", 0, "normed"), 1),
        (("measures", 0, "names"), None),
        (("record",), []),
        (("record", "batch"), "four"),
        (("record", "losses"), {"a": "b"}),
    ],
)
def test_wrong_values_are_clear_errors(report: HealthReport, path: tuple[Any, ...], value: Any) -> None:
    data = json.loads(report.to_json())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UsageError, match="health report") as caught:
        HealthReport.from_json(json.dumps(data))
    assert caught.value.remedy


def test_hostile_text_is_inert(report: HealthReport) -> None:
    data = json.loads(report.to_json())
    evil = "<script>alert(1)</script>\x1b[31m\u202e"
    data["findings"][0] |= {"seen": evil, "where": [evil], "code": evil, "remedy": evil}
    data["measures"][0]["names"] = [evil]
    data["record"]["model"] = evil
    data["criteria"][0]["name"] = evil
    back = HealthReport.from_json(json.dumps(data))
    html, text = back._repr_html_(), str(back)
    assert "<script>alert" not in html
    assert "\x1b" not in html + text
    assert "\u202e" not in html + text
