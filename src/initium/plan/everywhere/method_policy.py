"""A method everywhere: every weight starts by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from initium.errors import LayerError
from initium.methods.method import Method, Value
from initium.plan.everywhere.protection import assigned, keep, neutral, protected
from initium.plan.policy import Decided, Need, Run
from initium.plan.records.assignment import Assignment
from initium.plan.structure.framework_default import is_default
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import ParameterInfo
from initium.record.record import Record

OWN_BIASES = ("torch_default", "rnn_uniform")
"""Methods that are published with biases drawn like the weights; all others have zero biases."""


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Gives every weight one method, and zero to biases that hold the framework's default.

    What the method cannot serve is kept, with the reason.

    Args:
        method: of the catalogue, or the user's own.
        params: those that differ from its defaults.

    Raises:
        UnknownNameError: a parameter that the method does not have.
        UsageError: a parameter out of range.
    """

    method: Method
    params: Mapping[str, Value] = field(default_factory=dict)
    needs: Need = "none"

    def __post_init__(self) -> None:
        self.method.resolve(**self.params)

    def decide(self, record: Record, run: Run) -> Decided:
        """The user's rules first, then what is protected, then the method."""
        return Decided(
            tuple(
                run.ruled.get(info.name) or self.start_of(record.parts[info.name], info, record)
                for info in record.parameters
            )
        )

    def start_of(self, part: Part, info: ParameterInfo, record: Record) -> Assignment:
        """The start of one parameter."""
        kept = protected(part, info)
        if kept is not None:
            return kept
        rule, source = f"policy {self.method.name}", str(self.method.paper)
        unset = part.role == "bias" and (info.meta or info.written or is_default(part, info, record))
        if unset and self.method.name not in OWN_BIASES:
            reason = "the method is published with zero biases, and these are the framework's default or not set yet"
            return assigned(part, info, "zeros", rule, reason, source)
        if part.layer.kind == "vector":
            again = neutral(part, info)
            if again is not None:
                return again
            return keep(part, info, "not a weight", f"{rule} is for weights")
        reason = "the policy gives every weight this method"
        answer = assigned(part, info, self.method, rule, reason, source, **self.params)
        try:
            answer.draw()
        except LayerError as error:
            return keep(part, info, "cannot serve", f"{self.method.name} cannot serve it: {error.seen}")
        return answer
