"""The receipt of an application: what was written where, and what it turned out to be."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from initium import plain_data
from initium.errors import UsageError
from initium.report import Document, Readable

FORMAT = "initium.receipt/1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One parameter: the method that wrote it ("keep": not written), the rule, mean and std of what it holds."""

    name: str
    method: str
    rule: str
    mean: float
    std: float


@dataclass(frozen=True)
class Receipt(Readable):
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

    def to_json(self) -> str:
        """The receipt as JSON text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @staticmethod
    def from_json(text: str) -> Receipt:
        """The receipt in a JSON text; raises UsageError for anything else."""
        try:
            data: dict[str, Any] = json.loads(text)
            if data.pop("format") != FORMAT:
                raise ValueError(f"no {FORMAT!r} mark")
            return Receipt(
                plain_data.text(data.pop("model")),
                plain_data.whole(data.pop("seed")),
                tuple(_entry(**entry) for entry in data.pop("entries")),
                plain_data.number_or_none(data.pop("before", None)),
                plain_data.number_or_none(data.pop("after", None)),
                plain_data.text(data.pop("verdict", "")),
                plain_data.texts(data.pop("notes", [])),
                **data,  # what is left over has no place
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(
                f"the text is no receipt ({type(error).__name__}: {error})",
                expected=f"JSON of format {FORMAT}",
                remedy="use Receipt.to_json()",
            ) from error

    def _document(self) -> Document:
        from initium.plan.view import receipt_document

        return receipt_document(self)


def _entry(name: Any, method: Any, rule: Any, mean: Any, std: Any) -> Entry:
    return Entry(
        plain_data.text(name),
        plain_data.text(method),
        plain_data.text(rule),
        plain_data.number(mean),
        plain_data.number(std),
    )
