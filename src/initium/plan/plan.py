"""The plan: for every parameter what it shall start as and why, as immutable data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import nn

from initium.codec import Stored
from initium.methods.catalogue import lent
from initium.methods.method import Method
from initium.methods.method_contract import method_of
from initium.plan.records.assignment import Assignment
from initium.plan.records.receipt import Receipt
from initium.plan.write.apply import apply_assignments
from initium.plan.write.checkpoint import write_checkpoint
from initium.plan.write.materialize import bind_assignments, materialize_assignments
from initium.predict.prediction import Predicted
from initium.report import Readable


@dataclass(frozen=True)
class Plan(Readable, Stored):
    """What every parameter of one model shall start as.

    Args:
        model: class name of the model it was made for.
        policy: the policy that was asked for.
        seed: seed of the draws that the scales were calibrated with.
        assignments: one a parameter, in the model's order.
        chosen: which candidate was taken ("auto", "normal", "shipped"); "" for policies with one.
        before: badness of the model as it was found, by `diagnose`; None where it was not measured.
        after: badness with this plan; None where it was not measured.
        verdict: verdict of the diagnosis with this plan; "" where there was none.
        notes: what the reader should know.
        predicted: what theory says of every weighted site with this plan, beside what was measured if it was; see
            `initium.diagnose.predict`.

    Example:
        >>> import initium
        >>> made = initium.plan(nn.Linear(8, 4), torch.randn(16, 8), policy="he_normal")
        >>> len(made), made["weight"].method, made["bias"].method
        (2, 'he_normal', 'zeros')
        >>> Plan.from_json(made.to_json()) == made
        True
    """

    model: str
    policy: str
    seed: int
    assignments: tuple[Assignment, ...]
    chosen: str = ""
    before: float | None = None
    after: float | None = None
    verdict: str = ""
    notes: tuple[str, ...] = ()
    predicted: tuple[Predicted, ...] = ()

    def __len__(self) -> int:
        return len(self.assignments)

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self.assignments)

    def __getitem__(self, name: str) -> Assignment:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Assignment]:
        return {one.name: one for one in self.assignments}

    def apply(self, model: nn.Module, *, seed: int = 0) -> Receipt:
        """Write the weights into `model`, in place, all or nothing.

        Args:
            model: the model the plan was made for, or one with the same parameter names and shapes.
            seed: of the draws; with the plan's own seed the weights are those that were calibrated.

        Raises:
            PlanMismatchError: names or shapes differ; nothing was written.
            ApplyError: what was written is not finite; everything was rolled back.
        """
        return apply_assignments(model, self.assignments, seed=seed)

    def materialize(
        self,
        meta_model: nn.Module,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype | None = None,
    ) -> nn.Module:
        """Give a model on the meta device storage and fill it; returns the model itself.

        Every element is drawn once, where it lives: a sharded (DTensor, FSDP2) parameter fills its own shard and no
        full copy is made. The bits are those of `apply` with the same seed, whatever the sharding.

        Args:
            meta_model: model with some or all parameters on meta; those with storage are filled in place.
            seed: of the draws.
            device: where storage is made.
            dtype: of floating-point parameters and buffers; None keeps the model's.

        Raises:
            PlanMismatchError: names or shapes differ.
            UsageError: the plan keeps a parameter of which nothing is known.

        Warns:
            LostBufferWarning: buffers that no method of their modules re-creates.
        """
        return materialize_assignments(meta_model, self.assignments, seed=seed, device=device, dtype=dtype)

    def bind(self, model: nn.Module, *, seed: int = 0) -> nn.Module:
        """Install `reset_parameters()` on every module that owns parameters.

        FSDP, Lightning and torchtitan call it after they have given a meta model storage, and so run this plan.
        """
        return bind_assignments(model, self.assignments, seed=seed)

    def save(
        self,
        directory: str | Path,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        rank: int = 0,
        world_size: int = 1,
    ) -> Path:
        """Draw the weights straight into a sharded safetensors checkpoint with an index, each rank its own file."""
        return write_checkpoint(
            self.assignments, directory, seed=seed, dtype=dtype, rank=rank, world_size=world_size
        )

    @classmethod
    def from_json(cls, text: str, *, methods: Sequence[Method] = ()) -> Self:
        """The plan in a JSON text.

        Args:
            text: as `to_json` writes it.
            methods: those of your own that the plan names; a file only names them, and never says where they are.

        Raises:
            UsageError: the text is no plan, or names an unknown method or parameter.
            ContractError: a method of your own that is none.
        """
        with lent([method_of(one) for one in methods]):
            return super().from_json(text)
