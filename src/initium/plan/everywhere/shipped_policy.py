"""Policy `shipped`: everything as it is."""

from __future__ import annotations

from dataclasses import dataclass

from initium.plan.everywhere.protection import keep
from initium.plan.policy import Decided, Need, Run
from initium.plan.records.assignment import Assignment
from initium.record.record import Record


@dataclass(frozen=True, slots=True)
class Shipped:
    """Leaves every parameter as the model's author started it."""

    needs: Need = "none"

    def decide(self, record: Record, run: Run) -> Decided:
        """The rules of the user, and "keep" for the rest."""
        return Decided(as_shipped(record, run))


def as_shipped(record: Record, run: Run) -> tuple[Assignment, ...]:
    """Every parameter kept, but for those that a rule of the user names."""
    return tuple(
        run.ruled.get(info.name)
        or keep(record.parts[info.name], info, "shipped", "policy shipped leaves everything as it is")
        for info in record.parameters
    )
