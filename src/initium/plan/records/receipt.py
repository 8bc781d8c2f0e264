"""The receipt of an application: what was written where, and what it turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from initium.codec import Stored
from initium.report import Readable


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter: the method that wrote it ("keep": not written), the rule, mean and std of what it holds."""

    name: str
    method: str
    rule: str
    mean: float
    std: float


@dataclass(frozen=True)
class Receipt(Readable, Stored):
    """What `apply` did.

    Args:
        model: class name of the model.
        seed: seed of the draws.
        entries: one a parameter, in the model's order.
        before: badness of the model as it was found; None where it was not measured.
        after: badness of the model as it was left; None where it was not measured.
        verdict: verdict of the diagnosis afterwards; "" where there was none.
        notes: what the reader should know.

    Example:
        >>> import torch, initium
        >>> done = initium.init_(torch.nn.Linear(8, 4), torch.randn(16, 8), policy="he_normal")
        >>> done.written
        ('weight', 'bias')
    """

    model: str
    seed: int
    entries: tuple[Entry, ...]
    before: float | None = None
    after: float | None = None
    verdict: str = ""
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the parameters that were written."""
        return tuple(entry.name for entry in self.entries if entry.method != "keep")
