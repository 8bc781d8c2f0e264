"""Every parameter and buffer of a model: what it is now, whom it is shared with, and whether it may be changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.record.parameters.marks import Mark, marks_of
from initium.record.parameters.weight_structure import INDEPENDENT, Structure, structure_of
from initium.record.tape.moments import norm_of

PROBE = 4096
"""Elements of a row that the first, cheap comparison of rows looks at."""
DUPLICATE_TOLERANCE = 1e-3
"""Gradients of equal rows that differ by less, relative to their size, differ by rounding only."""


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter as it stands.

    Args:
        name: first name in `named_parameters` order.
        aliases: further names of the same tensor (tied weights).
        shape: its shape.
        dtype: its dtype, as text ("float32").
        owner: class name of the module that owns it, for the reader.
        frozen: requires_grad is off.
        loaded: flagged as coming from a checkpoint (`_is_hf_initialized`), and not by initium.
        written: holds what initium wrote, unchanged since.
        parametrized: its module computes another tensor from it (torch.nn.utils.parametrize, weight norm).
        meta: it has no storage yet.
        mean, second, peak: E[w], E[w^2], max |w|; nan for meta.
        constant: the one value it holds everywhere, or None.
        finite: whether every element is finite.
        used: whether an operation of the run took it.
        rows_equal: share of its rows (axis 0) that equal another row.
        duplicates: share of its rows that equal another row and got the same gradient: they will stay equal.
        grad_second: E[g^2] of its gradient; None where none arrived.
        structure: how its rows depart from independent draws.
    """

    name: str
    aliases: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    owner: str
    frozen: bool
    loaded: bool
    parametrized: bool
    meta: bool
    mean: float
    second: float
    peak: float
    constant: float | None
    finite: bool
    used: bool
    rows_equal: float = 0.0
    duplicates: float = 0.0
    grad_second: float | None = None
    structure: Structure = INDEPENDENT
    written: bool = False

    @property
    def zero(self) -> bool:
        """Whether every element is zero."""
        return self.constant == 0.0

    @property
    def tied(self) -> bool:
        """Whether it has more than one name."""
        return bool(self.aliases)

    @property
    def std(self) -> float:
        """Standard deviation of its elements."""
        return math.sqrt(max(self.second - self.mean**2, 0.0))


@dataclass(frozen=True, slots=True)
class BufferInfo:
    """One buffer as it stands.

    `nan`: whether it holds one (inf has its place in masks). `zero`: whether it holds zeros alone.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    meta: bool
    nan: bool
    persistent: bool
    zero: bool


def original(model: nn.Module) -> nn.Module:
    """The module inside a compiled one; other models as they are."""
    inner = getattr(model, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else model


def check_lazy(model: nn.Module) -> None:
    """Raise if a lazy parameter has no shape yet."""
    for name, parameter in model.named_parameters():
        if torch.nn.parameter.is_lazy(parameter):
            raise UsageError(
                f"parameter {name!r} is lazy and has no shape yet",
                expected="a model whose lazy modules have been called once",
                remedy="run one forward first: model(inputs)",
            )


def has_meta(model: object) -> bool:
    """Whether a parameter or buffer of the model is on the meta device, so that it cannot run."""
    if not isinstance(model, nn.Module):
        return False
    return any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter by its first name, without duplicates."""
    return dict(model.named_parameters())


def aliases_of(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """First name -> further names of the same parameter."""
    first: dict[int, str] = {}
    more: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        known = first.setdefault(id(parameter), name)
        if known != name:
            more.setdefault(known, []).append(name)
    return {name: tuple(names) for name, names in more.items()}


def take_inventory(
    model: nn.Module, *, used: frozenset[str], grads: Mapping[str, Tensor | None]
) -> tuple[ParameterInfo, ...]:
    """Describe every parameter; `used` are the names that a run took, `grads` their gradients."""
    owners = {name: type(module).__name__ for name, module in model.named_modules()}
    aliases, marks = aliases_of(model), marks_of(model)
    return tuple(
        _describe(name, tensor, aliases.get(name, ()), owners, name in used, grads.get(name), marks.get(name))
        for name, tensor in model.named_parameters()
    )


def _describe(
    name: str,
    tensor: Tensor,
    aliases: tuple[str, ...],
    owners: Mapping[str, str],
    used: bool,
    grad: Tensor | None,
    mark: Mark | None,
) -> ParameterInfo:
    owner = owners[name.rpartition(".")[0]]
    mean, second, peak, constant, finite = _values(tensor)
    groups = _equal_rows(tensor) if finite else None
    return ParameterInfo(
        name=name,
        aliases=aliases,
        shape=tuple(tensor.shape),
        dtype=str(tensor.dtype).removeprefix("torch."),
        owner=owner,
        frozen=not tensor.requires_grad,
        loaded=mark is None and bool(getattr(tensor, "_is_hf_initialized", False)),
        parametrized=_is_parametrized(name, owner),
        meta=tensor.is_meta,
        mean=mean,
        second=second,
        peak=peak,
        constant=constant,
        finite=finite,
        used=used,
        rows_equal=0.0 if groups is None else groups.numel() / tensor.shape[0],
        duplicates=0.0 if groups is None or grad is None else _duplicates(groups, grad),
        grad_second=_mean_square(grad),
        structure=structure_of(tensor),
        written=mark is not None and not mark.stale,
    )


def _is_parametrized(name: str, owner: str) -> bool:
    """Whether the module computes another tensor from it; the endings are those of torch.nn.utils' older hooks."""
    old = name.endswith(("weight_g", "weight_v", "weight_orig"))
    return old or "parametrizations." in name or owner == "ParametrizationList"


def _mean_square(grad: Tensor | None) -> float | None:
    if grad is None or grad.numel() == 0:
        return None
    norm = norm_of(grad)
    return None if norm is None else float(norm) ** 2 / grad.numel()


@torch.no_grad()
def _values(tensor: Tensor) -> tuple[float, float, float, float | None, bool]:
    nan = float("nan")
    if tensor.is_meta or tensor.numel() == 0:
        return nan, nan, nan, None, True
    flat = tensor.detach()
    flat = flat.abs() if flat.is_complex() else flat
    low, high = (float(v) for v in flat.aminmax())
    # Before the moments, which would be nan and tell less.
    if not (abs(low) < float("inf") and abs(high) < float("inf")):  # also true for nan
        return nan, nan, nan, None, False
    if low == high:
        return low, low * low, abs(low), low, True
    # In float32: sums of squares overflow in half precision.
    wide = flat.float()
    norm = float(torch.linalg.vector_norm(wide))
    return float(wide.mean()), norm * norm / tensor.numel(), max(-low, high), None, True


@torch.no_grad()
def _equal_rows(tensor: Tensor) -> Tensor | None:
    """Indices of the rows (axis 0) that another row repeats exactly; None if there are none or rows mean nothing."""
    if (
        tensor.dim() < 2
        or tensor.is_meta
        or tensor.shape[0] < 2
        or tensor[0].numel() < 2
        or tensor.is_complex()
    ):
        return None
    rows = tensor.detach().flatten(1)
    repeated = _repeated(rows[:, :PROBE].float() @ _probe(rows))
    if not bool(repeated.any()):
        return None
    # The probe only suggests: rows whose sums agree by chance are compared in full.
    _, inverse, counts = torch.unique(rows[repeated].float(), dim=0, return_inverse=True, return_counts=True)
    kept = repeated.nonzero().flatten()[counts[inverse] > 1]
    return kept if kept.numel() else None


def _probe(rows: Tensor) -> Tensor:
    return torch.linspace(0.5, 1.5, min(rows.shape[1], PROBE), device=rows.device).sin()


def _repeated(marks: Tensor) -> Tensor:
    """Mask of the marks that occur more than once."""
    _, inverse, counts = torch.unique(marks, return_inverse=True, return_counts=True)
    repeated: Tensor = counts[inverse] > 1
    return repeated


@torch.no_grad()
def _duplicates(equal: Tensor, grad: Tensor) -> float:
    """Share of all rows that are among `equal` and whose gradient another of them shares, up to rounding.

    Where some rows get a gradient, those that get none are not counted: a unit may be out of reach of this batch.
    """
    rows = grad.detach().flatten(1)[equal].float()
    marks = rows[:, :PROBE] @ _probe(rows)
    # Equal gradients are neighbours once sorted, so one pass finds all pairs.
    order = marks.argsort()
    rows = rows[order]
    size = torch.linalg.vector_norm(rows, dim=1)
    apart = torch.linalg.vector_norm(rows[1:] - rows[:-1], dim=1)
    same = apart <= DUPLICATE_TOLERANCE * torch.maximum(size[1:], size[:-1])
    if bool((size > 0).any()):
        same &= size[1:] > 0
    off = torch.zeros(1, dtype=torch.bool, device=same.device)
    return float((torch.cat([same, off]) | torch.cat([off, same])).sum()) / grad.shape[0]


def take_buffers(model: nn.Module) -> tuple[BufferInfo, ...]:
    """Describe every buffer."""
    persistent = (
        set(model.state_dict(keep_vars=True)) if not isinstance(model, torch.jit.ScriptModule) else set()
    )
    return tuple(_buffer_info(name, buffer, name in persistent) for name, buffer in model.named_buffers())


def _buffer_info(name: str, buffer: Tensor, persistent: bool) -> BufferInfo:
    has_values = not buffer.is_meta and buffer.is_floating_point() and buffer.numel() > 0
    return BufferInfo(
        name,
        tuple(buffer.shape),
        str(buffer.dtype).removeprefix("torch."),
        buffer.is_meta,
        nan=has_values and bool(torch.isnan(buffer).any()),
        persistent=persistent,
        zero=has_values and not bool(buffer.any()),
    )
