"""What a policy is, what it is given, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from torch import nn

from initium.diagnose import HealthReport
from initium.errors import UsageError
from initium.plan.records.assignment import Assignment
from initium.record.record import Forward, Inputs, Loss, Record, run_once

Need = Literal["none", "data", "held_out"]
"""What a policy needs beside the record of one run: nothing, so that a model on the meta device or a `Record` serves;
to run the model again on the data; or that on one half of the samples, its record being of the other half, so that
what it calibrates on is not what it is judged by."""


class Decided(NamedTuple):
    """What a policy decided; a plain pair `(assignments, notes)` says the same of a policy that verifies nothing.

    Args:
        assignments: one for every parameter of the record, in any order; rules of the user win over them.
        notes: what the reader of the plan should know.
        chosen: which of several candidates was taken; "" for a policy with one.
        before: the diagnosis of the model as it was found; None where it was not made.
        after: the diagnosis with these assignments; None where it was not made.
    """

    assignments: Sequence[Assignment]
    notes: Sequence[str] = ()
    chosen: str = ""
    before: HealthReport | None = None
    after: HealthReport | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """How a policy may run the model again, and what the user's rules have decided already.

    Args:
        given: the model; None where a `Record` was given in its place.
        inputs: all of them.
        calibration: the samples that scales are found on; all of them, but for a policy with the need "held_out".
        verification: the samples that the record is of, and that candidates are judged by.
        forward: see `record`.
        loss: see `record`.
        seed: of every draw and run.
        note: why calibration and verification are the same samples; "" if they are not, or nobody asked for it.
        ruled: parameter -> what the first rule that matches it says.
    """

    given: nn.Module | None
    inputs: Inputs = ()
    calibration: Inputs = ()
    verification: Inputs = ()
    forward: Forward | None = None
    loss: Loss | None = None
    seed: int = 0
    note: str = ""
    ruled: Mapping[str, Assignment] = field(default_factory=dict)

    @property
    def model(self) -> nn.Module:
        """The model; its own values are to be put back before `decide` returns.

        Raises:
            UsageError: there is a record only.
        """
        if self.given is None:
            raise UsageError(
                "a record in place of the model, for a policy that runs the model",
                expected="the model and its inputs, since a record holds no tensor",
                remedy='pass initium.plan(model, inputs), or let the policy say needs = "data"',
            )
        return self.given

    def record(self) -> Record:
        """One more recorded run of the model, on the samples that verify."""
        return run_once(self.model, self.verification, forward=self.forward, loss=self.loss, seed=self.seed)


class Policy(Protocol):
    """Decides what every parameter starts as.

    Each policy of `initium.plan.policy_table` is one, and any object with these two may be passed as `policy=`.

    Example:
        >>> import torch, initium
        >>> from initium.plan import Assignment
        >>> class Narrow:
        ...     needs = "none"
        ...     def decide(self, record, run):
        ...         return [
        ...             Assignment(part.name, "normal", part.layer, part.role, "narrow", "small", {"std": 0.01})
        ...             for part in record.parts.values()
        ...         ], ["every parameter is drawn from N(0, 0.01^2)"]
        >>> made = initium.plan(torch.nn.Linear(8, 4), torch.randn(16, 8), policy=Narrow())
        >>> made.policy, made["weight"].method, made.notes[0]
        ('Narrow', 'normal', 'every parameter is drawn from N(0, 0.01^2)')
    """

    @property
    def needs(self) -> Need:
        """What it needs beside the record of one run."""

    def decide(self, record: Record, run: Run) -> Decided | tuple[Sequence[Assignment], Sequence[str]]:
        """One assignment for every parameter of the record, and what the reader of the plan should know.

        Args:
            record: one run of the model as found; `record.parts` tells what each parameter does, and its layer.
            run: how to run the model again, and what the user's rules decided.
        """
