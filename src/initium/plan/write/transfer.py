"""Start a model from the weights of another one: smaller, with other inputs, other sizes, or in three dimensions."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from initium.errors import UsageError, UsageTypeError
from initium.methods.families.weight_transfer import (
    adapt_input_channels,
    inflate,
    select_weights,
    tiled_positions,
)
from initium.methods.kit.module_layer import layer_of
from initium.plan.write.apply import check_target, rollback
from initium.theory.layer import Layer

By = Literal["name", "order"] | Callable[[str], str]
Fitting = Literal["copied", "selected", "adapted", "inflated", "resized"]


@dataclass(frozen=True, slots=True)
class Taken:
    """One tensor that was taken over: its name, the source's name, and what was done to fit it."""

    name: str
    source: str
    how: Fitting
    was: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What `transfer_` did.

    Args:
        taken: tensors that were taken over.
        left: name -> why it was left as it is.
        unused: tensors of the source that nothing took.
    """

    taken: tuple[Taken, ...]
    left: Mapping[str, str]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        kinds: dict[str, int] = {}
        for one in self.taken:
            kinds[one.how] = kinds.get(one.how, 0) + 1
        lines = [", ".join(f"{count} {how}" for how, count in sorted(kinds.items())) or "nothing taken"]
        lines += [f"left {name}: {why}" for name, why in self.left.items()]
        return "\n".join(
            [*lines, *([f"{len(self.unused)} tensors of the source unused"] if self.unused else [])]
        )


@torch.no_grad()
def transfer_(
    model: nn.Module,
    source: nn.Module | Mapping[str, Tensor],
    *,
    by: By = "name",
    keep: Sequence[str] = (),
    inflation: Literal["mean", "centre"] = "mean",
) -> Transfer:
    """Fill `model` from a trained one, tensor by tensor, in place and all or nothing; buffers of norms come along.

    A tensor of the same shape is copied. A smaller one takes evenly spaced elements along every axis (weight
    selection), a 2-D kernel becomes a 3-D one, the first convolution is adapted to its number of input channels, and
    a table of positions is resized to another square grid. What is larger than the source, a last layer for another
    number of classes, and what the source does not have are left as they are, with the reason.

    Args:
        model: any module with storage.
        source: a model, or a state dict.
        by: which tensor of the source belongs to one of the model: the one of the same name, of the same place among
            parameters and among buffers ("order"), or what a function makes of the name.
        keep: patterns on names of the model that are left alone.
        inflation: "mean" repeats a kernel over time and divides by its depth, "centre" puts it in the middle.

    Raises:
        UsageTypeError: a model or source of the wrong type.
        UsageError: nothing fits, another number of tensors by "order", or a meta source.

    Example:
        >>> import torch, initium
        >>> big, small = (torch.nn.Sequential(torch.nn.Linear(4, n), torch.nn.Linear(n, 2)) for n in (8, 4))
        >>> print(initium.transfer_(small, big))
        1 copied, 3 selected
        >>> bool((small[0].weight == big[0].weight[[0, 2, 5, 7]]).all())
        True

    Reference: Xu et al. (2023), arXiv:2311.18823; Carreira and Zisserman (2017), arXiv:1705.07750.
    """
    model = check_target(model)
    given = _tensors(source)
    wanted = {**dict(model.named_parameters()), **_buffers(model)}
    names = _names(model, source, wanted, by)
    layers = _TargetLayers(model)
    fitted: dict[str, Tensor] = {}
    taken, left = [], {}
    for name, target in wanted.items():
        made = _made(name, target, names[name], given, layers, keep, inflation)
        if isinstance(made, str):
            left[name] = made
        else:
            how, fitted[name] = made
            was = given[names[name]].shape
            taken.append(Taken(name, names[name], how, tuple(was), tuple(target.shape)))
    if not taken:
        raise _nothing_fits(left, given)
    _write(wanted, fitted)
    used = {one.source for one in taken}
    return Transfer(tuple(taken), left, tuple(name for name in given if name not in used))


def _made(
    name: str,
    target: Tensor,
    origin: str,
    given: Mapping[str, Tensor],
    layers: _TargetLayers,
    keep: Sequence[str],
    inflation: str,
) -> tuple[Fitting, Tensor] | str:
    """Fitting one tensor is taken over and its new values; or why it is left."""
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in keep):
        return "kept, as asked for"
    if origin not in given:
        return f"the source has no {origin}"
    return _fit(given[origin], target, layers, name, inflation)


def _tensors(source: object) -> dict[str, Tensor]:
    state = source.state_dict() if isinstance(source, nn.Module) else source
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UsageTypeError(
            f"source is a {type(source).__name__}",
            expected="a model or a state dict of tensors",
            remedy="pass the model itself, or for example safetensors.torch.load_file(path)",
        )
    if any(value.is_meta for value in state.values()):
        raise UsageError(
            "the source has tensors on meta", expected="values", remedy="load the source's weights first"
        )
    return {str(name): value.detach() for name, value in state.items()}


def _buffers(model: nn.Module) -> dict[str, Tensor]:
    """The buffers that a checkpoint holds."""
    # Others (masks, caches) follow from the model's own sizes, which may differ from the source's.
    kept = model.state_dict(keep_vars=True)
    return {name: buffer for name, buffer in model.named_buffers() if name in kept}


def _names(model: nn.Module, source: object, wanted: Mapping[str, Tensor], by: By) -> dict[str, str]:
    """Name in the model -> name in the source."""
    if callable(by):
        return {name: by(name) for name in wanted}
    if by == "name":
        return {name: name for name in wanted}
    if str(by) != "order" or not isinstance(source, nn.Module):
        raise UsageError(
            f"by = {by!r} with a {type(source).__name__} as source",
            expected='"name", a function of the name, or "order" with a model as source',
            remedy="pass by=lambda name: ... that gives the source's name",
        )
    pairs = [
        ([name for name, _ in model.named_parameters()], [name for name, _ in source.named_parameters()]),
        (list(_buffers(model)), list(_buffers(source))),
    ]
    for ours, theirs in pairs:
        if len(ours) != len(theirs):
            raise UsageError(
                f"{len(ours)} tensors in the model and {len(theirs)} in the source, paired by order",
                expected="the same number of parameters and of buffers",
                remedy="pass by=lambda name: ... that gives the source's name",
            )
    return {mine: other for ours, theirs in pairs for mine, other in zip(ours, theirs, strict=True)}


class _TargetLayers:
    """Which tensor is the first convolution's weight, which belong to the last layer, and each one's geometry."""

    def __init__(self, model: nn.Module) -> None:
        layers: dict[str, Layer] = {}
        for path, module in model.named_modules():
            for own, _ in module.named_parameters(recurse=False):
                layers[f"{path}.{own}" if path else own] = layer_of(module, own)
        self.layers = layers
        matrices = [
            name for name, layer in layers.items() if layer.kind in ("linear", "conv", "conv_transpose")
        ]
        self.stem = next((name for name in matrices if layers[name].kind == "conv"), "")
        self.head = matrices[-1].rpartition(".")[0] if matrices else ""

    def kind(self, name: str) -> str:
        """The kind of layer; "buffer" for what is no parameter."""
        return self.layers[name].kind if name in self.layers else "buffer"

    def in_head(self, name: str) -> bool:
        """Whether the tensor belongs to the last layer of the model."""
        return name.rpartition(".")[0] == self.head


def _fit(
    given: Tensor, target: Tensor, layers: _TargetLayers, name: str, inflation: str
) -> tuple[Fitting, Tensor] | str:
    """What to do with a source tensor to fit a target, and the result; or why it cannot be done."""
    shape, how, kind = tuple(target.shape), "copied", layers.kind(name)
    if tuple(given.shape) == shape:
        return "copied", given
    # A class of the source means nothing for another class of the target, so a head is never cut to size.
    if layers.in_head(name) and given.dim() == len(shape) and given.shape[0] != shape[0]:
        return f"the source's last layer has {given.shape[0]} outputs, not {shape[0]}"
    # In this order: each step changes what the shapes of the next are compared with, and selection takes what is left.
    if kind == "conv" and given.dim() == 4 and len(shape) == 5:
        given, how = inflate(given, shape[2], mode=inflation), "inflated"
    if name == layers.stem and given.dim() == len(shape) and given.shape[1] != shape[1]:
        given, how = adapt_input_channels(given, shape[1]), "adapted"
    if kind in ("other", "vector") and given.dim() == len(shape) >= 2 and given.shape[-2] != shape[-2]:
        resized = _resize(given, shape)
        if resized is None:
            return f"a table of {given.shape[-2]} rows has no square grid that resizes to {shape[-2]}"
        given, how = resized, "resized"
    if tuple(given.shape) == shape:
        return how, given  # type: ignore[return-value]
    if given.dim() != len(shape) or any(m > n for m, n in zip(shape, given.shape, strict=True)):
        return f"its shape {shape} does not fit into the source's {tuple(given.shape)}"
    return ("selected" if how == "copied" else how), select_weights(given, shape)  # type: ignore[return-value]


def _resize(table: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """A position table with as many leading tokens, on another square grid; None where there is no such grid."""
    rows, wanted = table.shape[-2], shape[-2]
    extra = (
        rows - math.isqrt(rows) ** 2
    )  # class tokens and registers: what the largest square grid leaves over
    side = math.isqrt(max(wanted - extra, 0))
    if table.numel() != rows * table.shape[-1] or side * side != wanted - extra or side == 0:
        return None
    sized = tiled_positions(table.reshape(rows, -1), side, side)
    return sized.reshape(*shape[:-2], wanted, table.shape[-1])


def _write(wanted: Mapping[str, Tensor], fitted: Mapping[str, Tensor]) -> None:
    meta = [name for name in fitted if wanted[name].is_meta]
    if meta:
        raise UsageError(
            f"{meta[0]!r} of the model is on meta",
            expected="storage",
            remedy="call model.to_empty(device='cpu') first",
        )
    with rollback(wanted, list(fitted)):
        for name, value in fitted.items():
            wanted[name].detach().copy_(value)
    for name in fitted:
        if isinstance(wanted[name], nn.Parameter):
            wanted[name]._is_hf_initialized = True  # type: ignore[attr-defined]


def _nothing_fits(left: Mapping[str, str], given: Mapping[str, Tensor]) -> UsageError:
    name, why = next(iter(left.items()), ("(no parameters)", ""))
    return UsageError(
        f"nothing of the source fits: {name}: {why}",
        expected=f"tensors named as the source's: {', '.join(list(given)[:4])}",
        remedy='pass by="order", or by=lambda name: ... that gives the source\'s name',
    )
