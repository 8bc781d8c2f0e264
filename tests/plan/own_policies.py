"""Policies as a third party would write them: two that keep the contract, and one for every way to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from initium.plan import Assignment, Decided, Run
from initium.record import Record


def narrow(record: Record) -> list[Assignment]:
    """N(0, 0.01^2) for everything."""
    made = []
    for info in record.parameters:
        part = record.parts[info.name]
        layer = replace(part.layer, shape=info.shape)
        made.append(Assignment(info.name, "normal", layer, part.role, "narrow", "small", {"std": 0.01}))
    return made


class Narrow:
    """Needs nothing but a record."""

    needs = "none"

    def decide(self, record: Record, run: Run) -> tuple[list[Assignment], list[str]]:
        return narrow(record), ["everything is drawn narrow"]


class OneSweep:
    """Runs the model again on what it calibrates, and says what it found."""

    needs = "held_out"

    def decide(self, record: Record, run: Run) -> Decided:
        output = run.model(run.calibration)
        return Decided(narrow(record), [f"{len(output)} samples calibrate, {record.batch} verify"], "narrow")


class Answering:
    """Answers whatever it is told to."""

    needs = "none"

    def __init__(self, answer: Callable[[list[Assignment]], Any]) -> None:
        self._answer = answer

    def decide(self, record: Record, run: Run) -> Any:
        return self._answer(narrow(record))
