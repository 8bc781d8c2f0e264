"""How health reports stand in JSON; what is read is checked, and is nothing but text and numbers."""

from __future__ import annotations

from typing import Any

from initium import plain_data
from initium.codec import WORDS, Form, register
from initium.diagnose.finding import Finding
from initium.diagnose.health import HealthReport
from initium.record.record import Record

HEALTH_FORMAT = "initium.health/1"
TOTALS = ("model", "loss", "losses", "chance", "batch", "training", "notes")
"""What a report keeps of the record that it was made from."""


def _rule(data: Any) -> dict[str, Any] | None:
    """The plain data of a plan rule."""
    if data is None:
        return None
    rule = dict(plain_data.entries(data))
    where, method = plain_data.text(rule["where"]), plain_data.text(rule["method"])
    params = plain_data.entries(rule["params"])
    if not all(isinstance(value, (str, int, float)) for value in params.values()):
        raise ValueError("a rule whose parameters are neither numbers nor text")
    return {"where": where, "method": method, "params": params}


register(
    HealthReport,
    Form(
        what="health report",
        mark=HEALTH_FORMAT,
        remedy="diagnose the model again",
        numbers=WORDS,
        told={"verdict": lambda report: report.verdict, "badness": lambda report: report.badness},
    ),
)
register(Finding, Form(readers={"rule": _rule}))
register(
    Record, Form(order=TOTALS, fixed=dict.fromkeys(("nodes", "uses", "parameters", "buffers", "outputs"), ()))
)
