"""How often each class occurs: counted from labels, data sets, loaders, or given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from initium.errors import UsageError, UsageTypeError

LABEL_KEYS = ("labels", "label", "targets", "target", "y")
"""Where a batch or a sample that is a dict keeps its labels, in this order."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each class was seen, and in how many places that could have shown it."""

    counts: tuple[float, ...]
    total: float


def counts_of(data: object, *, num_classes: int | None, ignore_index: int) -> Counts:
    """The counts in labels, in a mapping class -> count, in a data set or in a loader.

    Raises:
        UsageTypeError: nothing that holds labels.
        UsageError: no labels, class numbers out of range, or labels of the wrong shape.
    """
    if isinstance(data, Mapping):
        return _from_mapping(data, num_classes)
    total: Tensor | None = None
    seen = 0.0
    for label in _labels(data):
        found, places = _count(label, num_classes, ignore_index)
        seen += places
        total = found if total is None else _add(total, found)
    if total is None or seen == 0:
        raise UsageError(
            "no labels to count",
            expected="at least one label that is not ignored",
            remedy="pass the labels themselves, or a loader whose batches are (inputs, labels)",
        )
    return Counts(tuple(total.tolist()), seen)


def given(counts: Sequence[float], total: float | None) -> Counts:
    """Counts that the user has.

    Raises:
        UsageError: fewer than one class, a negative or infinite count, or a total below a count.
    """
    values = tuple(float(x) for x in torch.as_tensor(counts, dtype=torch.float64).flatten())
    whole = sum(values) if total is None else float(total)
    if (
        not values
        or not all(0 <= x < float("inf") for x in values)
        or sum(values) == 0
        or max(values) > whole
    ):
        raise UsageError(
            f"class counts {values[:8]}" + ("" if total is None else f" of {total}"),
            expected="a number of at least 0 for each class, one of them above 0, none above the total",
            remedy="count again, or pass the labels instead",
        )
    return Counts(values, whole)


def _from_mapping(data: Mapping[Any, Any], num_classes: int | None) -> Counts:
    keys = [key for key in data if isinstance(key, int) and not isinstance(key, bool)]
    size = num_classes if num_classes is not None else max(keys, default=-1) + 1
    if len(keys) < len(data) or not keys or min(keys) < 0 or max(keys) >= size:
        raise UsageError(
            f"class numbers {list(data)[:8]} in a mapping of counts",
            expected=f"whole numbers from 0 to {max(size - 1, 0)}, the positions of the classes in the head",
            remedy="number the classes from 0, or pass counts= in the order of the head",
        )
    return given([float(data.get(index, 0)) for index in range(size)], None)


def _labels(data: object) -> Iterator[Tensor]:
    """The label tensors in anything that holds labels; images are not decoded where a data set keeps a list."""
    if isinstance(data, Tensor):
        yield data
        return
    kept = next((getattr(data, name) for name in ("targets", "labels") if hasattr(data, name)), None)
    if kept is not None and not callable(kept):
        yield from _labels(kept)
        return
    if hasattr(data, "__array__") or _is_numbers(data):
        yield _tensor(data)
        return
    for batch in _batches(data):
        yield from _of_batch(batch)


def _batches(data: object) -> Iterator[object]:
    if isinstance(data, (str, bytes)) or not (isinstance(data, Iterable) or hasattr(data, "__getitem__")):
        raise UsageTypeError(
            f"labels are a {type(data).__name__}",
            expected="a tensor or list of class numbers, a data set, a loader, or a mapping class -> count",
            remedy="write for example class_prior(loader, num_classes=10) or class_prior(counts=[900, 100])",
        )
    if hasattr(data, "__iter__"):
        yield from data
    else:
        yield from (data[index] for index in range(len(data)))  # type: ignore[arg-type]


def _of_batch(batch: object) -> Iterator[Tensor]:
    """The labels in one batch or sample: the last of a pair, the entry of a dict, or the batch itself."""
    if isinstance(batch, Mapping):
        key = next((key for key in LABEL_KEYS if key in batch), None)
        if key is None:
            raise _without(f"a dict with {', '.join(map(str, list(batch)[:6]))}")
        yield _tensor(batch[key])
    elif isinstance(batch, (tuple, list)) and batch and not _is_numbers(batch):
        last = batch[-1]
        targets = (
            last if isinstance(last, (tuple, list)) and any(isinstance(x, Mapping) for x in last) else [last]
        )
        if len(batch) < 2 and not isinstance(last, Mapping):
            raise _without("a tuple of one")
        for target in targets:
            yield from _of_batch(target)
    else:
        yield _tensor(batch)


def _is_numbers(data: object) -> bool:
    return isinstance(data, Sequence) and len(data) > 0 and all(isinstance(x, (int, float)) for x in data)


def _tensor(value: object) -> Tensor:
    try:
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _without(f"a {type(value).__name__}") from error


def _without(seen: str) -> UsageError:
    return UsageError(
        f"no labels in a batch: {seen}",
        expected="(inputs, labels), or a dict with one of " + ", ".join(LABEL_KEYS),
        remedy="pass the labels alone: class_prior(torch.cat([y for x, y in loader]))",
    )


def _count(label: Tensor, num_classes: int | None, ignore_index: int) -> tuple[Tensor, float]:
    label = label.detach().cpu()
    if label.is_floating_point():
        return _count_shares(label, num_classes)
    flat = label.reshape(-1).long()
    flat = flat[flat != ignore_index]
    high = int(flat.max()) if flat.numel() else -1
    size = num_classes if num_classes is not None else high + 1
    if flat.numel() and (int(flat.min()) < 0 or high >= size):
        wrong = int(flat.min()) if int(flat.min()) < 0 else high
        raise UsageError(
            f"class number {wrong} among the labels",
            expected=f"numbers from 0 to {size - 1}" + (", or ignore_index" if ignore_index != wrong else ""),
            remedy="pass num_classes= as the head has it, or ignore_index= for places that are not to be counted",
        )
    return torch.bincount(flat, minlength=max(size, 1)).double(), float(flat.numel())


def _count_shares(label: Tensor, num_classes: int | None) -> tuple[Tensor, float]:
    """Labels of several classes at once: (samples, classes), each between 0 and 1."""
    size = label.shape[-1] if label.dim() > 1 else 0
    if size == 0 or (num_classes or size) != size or not bool(((label >= 0) & (label <= 1)).all()):
        wanted = "classes" if num_classes is None else str(num_classes)
        raise UsageError(
            f"floating-point labels of shape {tuple(label.shape)}",
            expected=f"shape (samples, {wanted}) with values from 0 to 1, or whole class numbers",
            remedy="convert class numbers by labels.long()",
        )
    rows = label.reshape(-1, size).double()
    return rows.sum(0), float(rows.shape[0])


def _add(first: Tensor, second: Tensor) -> Tensor:
    """The sum of two counts, of which one may have seen fewer classes."""
    size = max(len(first), len(second))
    out = torch.zeros(size, dtype=torch.float64)
    out[: len(first)] += first
    out[: len(second)] += second
    return out
