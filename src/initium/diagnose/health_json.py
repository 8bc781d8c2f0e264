"""Health reports as JSON and back; what is read is checked, and is nothing but text and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from initium.diagnose.criteria import Criterion
from initium.diagnose.finding import Finding, Severity
from initium.diagnose.trunk import TrunkPoint
from initium.errors import UsageError
from initium.record.record import Record

if TYPE_CHECKING:
    from initium.diagnose.health import HealthReport

FORMAT = "initium.health/1"


def to_json(report: HealthReport) -> str:
    """The report as JSON text."""
    seen = report.record
    data = {
        "format": FORMAT,
        "verdict": report.verdict,
        "badness": report.badness,
        "findings": [asdict(finding) for finding in report.findings],
        "criteria": [asdict(criterion) for criterion in report.criteria],
        "measures": [asdict(point) for point in report.measures],
        "record": {
            "model": seen.model,
            "loss": seen.loss,
            "losses": dict(seen.losses),
            "chance": seen.chance,
            "batch": seen.batch,
            "training": seen.training,
            "notes": list(seen.notes),
        },
    }
    return json.dumps(_written(data), indent=1, allow_nan=False)


def from_json(text: str) -> HealthReport:
    """The report that `to_json` wrote; UsageError for anything else."""
    from initium.diagnose.health import HealthReport

    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad("text that is not JSON") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _bad("JSON that is no health report of this version")
    seen = _dict(data, "record")
    return HealthReport(
        findings=tuple(_finding(one) for one in _dicts(data, "findings")),
        criteria=tuple(_criterion(one) for one in _dicts(data, "criteria")),
        measures=tuple(_point(one) for one in _dicts(data, "measures")),
        record=Record(
            model=_text(seen, "model"),
            nodes=(),
            uses=(),
            parameters=(),
            buffers=(),
            outputs=(),
            loss=_maybe(_float, seen, "loss"),
            batch=_int(seen, "batch"),
            training=_bool(seen, "training"),
            notes=_texts(seen, "notes"),
            chance=_maybe(_float, seen, "chance"),
            losses={name: _float(_dict(seen, "losses"), name) for name in _dict(seen, "losses")},
        ),
    )


def _finding(data: Mapping[str, Any]) -> Finding:
    severity = _text(data, "severity")
    if severity not in get_args(Severity):
        raise _bad(f"the severity {severity!r}")
    rule = data.get("rule")
    return Finding(
        code=_text(data, "code"),
        severity=severity,  # type: ignore[arg-type]
        where=_texts(data, "where"),
        seen=_text(data, "seen"),
        expected=_text(data, "expected"),
        why=_text(data, "why"),
        remedy=_text(data, "remedy"),
        rule=None if rule is None else _rule(_dict(data, "rule")),
        cost=_float(data, "cost"),
    )


def _rule(data: Mapping[str, Any]) -> dict[str, Any]:
    params = _dict(data, "params")
    if not all(isinstance(value, (str, int, float)) for value in params.values()):
        raise _bad("a rule whose parameters are neither numbers nor text")
    return {"where": _text(data, "where"), "method": _text(data, "method"), "params": params}


def _criterion(data: Mapping[str, Any]) -> Criterion:
    return Criterion(
        name=_text(data, "name"),
        meaning=_text(data, "meaning"),
        value=_maybe(_float, data, "value"),
        limit=_float(data, "limit"),
        used=_maybe(_float, data, "used"),
    )


def _point(data: Mapping[str, Any]) -> TrunkPoint:
    return TrunkPoint(
        depth=_int(data, "depth"),
        node=_int(data, "node"),
        module=_text(data, "module"),
        names=_texts(data, "names"),
        second=_float(data, "second"),
        gradient=_maybe(_float, data, "gradient"),
        strength=_maybe(_float, data, "strength"),
        between=_float(data, "between"),
        normed=_bool(data, "normed"),
        restored=_bool(data, "restored"),
    )


def _written(value: Any) -> Any:
    """Plain data with nan and inf as text, since JSON has no numbers for them."""
    if isinstance(value, Mapping):
        return {str(key): _written(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _float(data: Mapping[str, Any], key: str) -> float:
    value = data.get(key)
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(f"{key!r} that is no number")
    try:
        return float(value)
    except OverflowError as error:
        raise _bad(f"{key!r} beyond all numbers") from error


def _int(data: Mapping[str, Any], key: str) -> int:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(f"{key!r} that is no whole number")
    return value


def _bool(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key)
    if not isinstance(value, bool):
        raise _bad(f"{key!r} that is neither true nor false")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise _bad(f"{key!r} that is no text")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad(f"{key!r} that is no list of texts")
    return tuple(value)


def _dict(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    if not isinstance(value, dict):
        raise _bad(f"{key!r} that is no object")
    return value


def _dicts(data: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = data.get(key)
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise _bad(f"{key!r} that is no list of objects")
    return value


def _maybe(
    read: Callable[[Mapping[str, Any], str], float], data: Mapping[str, Any], key: str
) -> float | None:
    return None if data.get(key) is None else read(data, key)


def _bad(what: str) -> UsageError:
    return UsageError(
        f"a health report with {what}",
        expected="the text that HealthReport.to_json wrote",
        remedy="diagnose the model again",
    )
