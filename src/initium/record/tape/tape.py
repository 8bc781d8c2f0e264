"""The tape: one real run of a model, seen operation by operation under a dispatch mode.

Tensors are followed by their storage, so views cost nothing and hide nothing. Every value is one of
`data` (depends on the inputs), `pure` (computed from parameters alone) or `constant`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from initium.record.run.restore import restore_parameters
from initium.record.tape import ops
from initium.record.tape.activation_curves import Curves
from initium.record.tape.dropout_noise import Noise, draws, noise_of, of_dropout
from initium.record.tape.moments import norm_of, take_sample
from initium.record.tape.node import View
from initium.record.tape.unit_axis import channels_of, dead_share
from initium.record.tape.uses import Operand, Use, uses_of

Origin = Literal["data", "pure", "constant"]


@dataclass(frozen=True, slots=True)
class Value:
    """What the tape knows of one storage."""

    origin: Origin
    node: int = -1
    params: tuple[str, ...] = ()
    direct: bool = False
    contracted: bool = False
    standardized: bool = False
    random: bool = False
    shape: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    channels: tuple[int, int] | None = None


@dataclass(slots=True)
class Draft:
    """One operation on data, as it is taped."""

    op: str
    category: ops.Category
    module: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    operands: tuple[View, ...] = ()
    sample: Tensor | None = None
    grad_sample: Tensor | None = None
    grad_norm: Tensor | None = None
    dead: float | None = None
    channels: tuple[int, int] | None = None
    scalars: tuple[float, ...] = ()
    noise: Noise | None = None
    mixes: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """An operation: its plain name, category, and which arguments it writes to."""

    name: str
    category: ops.Category
    writes: tuple[int, ...]


@dataclass(slots=True)
class Call:
    """One dispatched operation: its description, arguments, and the tensors among them with their values."""

    info: Info
    func: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    tensors: list[Tensor] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)


class Tape(TorchDispatchMode):
    """Records `drafts` (operations on data) and `uses` (of parameters by them) while it is entered.

    Args:
        parameters: every parameter by its first name.
        batch: number of samples in the inputs.
        where: returns the path of the module that is executing.
        measure: whether to sample values and gradients.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], *, batch: int, where: Callable[[], str], measure: bool = True
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drafts: list[Draft] = []
        self.uses: list[Use] = []
        self.curves = Curves()
        self.saved: dict[str, Tensor] = {}
        self._inputs: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._batch, self._where, self._measure = batch, where, measure
        self._values: dict[int, Value] = {}
        # Held for the life of the tape: an address that is freed could come again as another value.
        self._alive: list[object] = []
        self._pending: list[tuple[Tensor, int]] = []
        self._infos: dict[object, Info] = {}
        self._parameters = parameters
        # Parameters come first, so that an input that shares storage with one does not hide it.
        for name, tensor in parameters.items():
            self._set(
                tensor,
                Value("pure", params=(name,), direct=True, shape=tuple(tensor.shape), stride=tensor.stride()),
            )

    def add_inputs(self, tensors: Sequence[Tensor]) -> None:
        """Register the tensors that enter the model as data."""
        for tensor in tensors:
            if _storage(tensor) not in self._values:
                # An input has no operation; its node stands for the value itself.
                draft = Draft("input", "input", "", (), tuple(tensor.shape), tensor.stride(), tensor.dtype)
                if self._measure:
                    draft.sample = take_sample(tensor, self._batch)
                self.drafts.append(draft)
                self._inputs[_storage(tensor)] = tensor, None
                self._set(tensor, Value("data", node=len(self.drafts) - 1))
                self._pending.append((tensor, len(self.drafts) - 1))

    def node_of(self, tensor: Tensor) -> int:
        """Index of the draft that last wrote the tensor's storage; -1 for parameters and constants."""
        value = self._values.get(_storage(tensor))
        return value.node if value else -1

    def finish(self) -> None:
        """Attach the last gradient hooks; call after the forward."""
        self._flush()

    def restore(self) -> None:
        """Write back the parameters and inputs that the run overwrote; call after the backward."""
        restore_parameters(self._parameters, self.saved)
        with torch.no_grad():
            for tensor, saved in self._inputs.values():
                if saved is not None:
                    tensor.detach().copy_(saved)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._flush()
        call = Call(self._info(func), func, args, kwargs or {})
        _collect(args, call.tensors)
        _collect(call.kwargs.values(), call.tensors)
        call.values += [self._values.get(_storage(tensor), _CONSTANT) for tensor in call.tensors]
        # Afterwards the old contents are gone.
        self._save_before_write(call)
        out = self._run(call)
        outputs: list[Tensor] = []
        _collect((out,), outputs)
        # A view of known storage says nothing new: its value is that of the storage.
        if outputs and (call.info.writes or any(_storage(o) not in self._values for o in outputs)):
            self._note(call, outputs)
        return out

    def _run(self, call: Call) -> Any:
        """Execute the operation; a calibrating tape changes weights and outputs here."""
        return call.func(*call.args, **call.kwargs)

    def _note(self, call: Call, outputs: list[Tensor]) -> None:
        operands = self._operands(call)
        if not _is_data(call, operands):
            # Values of parameters alone are followed to the weight that they make, but are no nodes.
            return self._note_pure(call, outputs)
        value = self._note_data(call, operands, outputs)
        for tensor in self._written(call, outputs):
            self._set(tensor, value)
        return None

    def _operands(self, call: Call) -> list[Operand]:
        return [
            Operand(
                tensor,
                value.params,
                value.direct,
                value.standardized,
                value.shape,
                value.stride,
                value.contracted,
            )
            if value.origin == "pure"
            else Operand(tensor, channels=value.channels)
            for tensor, value in zip(call.tensors, call.values, strict=True)
        ]

    def _note_pure(self, call: Call, outputs: list[Tensor]) -> None:
        # A dict keeps the order in which parameters were met; that of a set would differ from run to run.
        params = tuple(dict.fromkeys(name for value in call.values for name in value.params))
        for tensor in self._written(call, outputs):
            old = self._values.get(_storage(tensor))
            if old is not None and old.direct:
                continue  # an in-place write on a parameter leaves it a parameter
            self._set(
                tensor,
                Value(
                    "pure" if params else "constant",
                    params=params,
                    contracted=call.info.category in ("matmul", "weighted")
                    or any(v.contracted for v in call.values),
                    standardized=call.info.name in ops.STANDARDIZERS
                    or any(v.standardized for v in call.values),
                    random=not params and draws(call.func, (v.random for v in call.values)),
                    shape=tuple(tensor.shape),
                    stride=tensor.stride(),
                ),
            )

    def _note_data(self, call: Call, operands: list[Operand], outputs: list[Tensor]) -> Value:
        index, main = len(self.drafts), outputs[0]
        views = tuple(
            View(value.node, tuple(tensor.shape), tensor.stride(), int(tensor.storage_offset()))
            for tensor, value in zip(call.tensors, call.values, strict=True)
            if value.node >= 0
        )
        draft = Draft(
            call.info.name, call.info.category, self._where(), tuple(view.node for view in views), tuple(main.shape),
            main.stride(), main.dtype, operands=views,
            scalars=tuple(float(a) for a in call.args if isinstance(a, (int, float)) and not isinstance(a, bool)),
        )  # fmt: skip
        new = uses_of(call.info.name, index, call.args, operands)
        draft.channels = channels_of(call.info.name, main, new, operands)
        if any(use.how == "weight" for use in new) and draft.category != "lookup":
            draft.category = "weighted"
            draft.mixes = any(use.mixes for use in new)
        elif ops.is_fixed_norm(call.info.name, call.args):
            # With stored statistics a batch norm is a factor and a shift, and does not restore the scale of its input.
            draft.category = "mul"
        if self._measure and main.is_floating_point():
            draft.sample = take_sample(main, self._batch)
            # Elsewhere a unit that is zero everywhere may have been masked; only an activation can kill it.
            if draft.category == "activation":
                draft.dead = dead_share(main, draft.channels)
            # A hook needs the grad_fn, which autograd attaches after this dispatch returns.
            self._pending.append((main, index))
        self.drafts.append(draft)
        self.uses.extend(new)
        if self._measure:
            self._note_curve(call, draft, index)
        return Value("data", node=index, channels=draft.channels)

    def _note_curve(self, call: Call, draft: Draft, index: int) -> None:
        """Which function of the last weight's or norm's output, or of one part of it, the operation yields."""
        if draft.category in ("weighted", "norm"):
            self.curves.begin(index)
            return
        tensors = [tensor for tensor, value in zip(call.tensors, call.values, strict=True) if value.node >= 0]
        sources = {
            id(tensor): (
                view.node,
                None if view.numel == math.prod(self.drafts[view.node].shape) else view,
            )
            for tensor, view in zip(tensors, draft.operands, strict=True)
        }
        noise = self._noise(call)
        draft.noise = noise if draft.category in ("mul", "copy") and not ops.divides(call.info.name) else None
        if not sources:
            return
        info = call.info
        if noise is not None:
            self.curves.blur(index, info.category, *next(iter(sources.values())), noise)
        else:
            self.curves.follow(index, info.name, info.category, call.func, call.args, call.kwargs, sources)

    def _noise(self, call: Call) -> Noise | None:
        """The random numbers that an operation on a value and such numbers takes or draws."""
        random = [tensor for tensor, value in zip(call.tensors, call.values, strict=True) if value.random]
        # With more tensors the random one may be a condition or a position, not a factor.
        if len(call.tensors) == 2 and len(random) == 1:
            return noise_of(random[0])
        return of_dropout(call.info.name, call.args)

    def _written(self, call: Call, outputs: list[Tensor]) -> list[Tensor]:
        """Tensors whose storage this operation gave new contents."""
        # Without writes a known storage among the outputs is a view, not new contents.
        if not call.info.writes:
            return [tensor for tensor in outputs if _storage(tensor) not in self._values]
        flat = [call.args[i] for i in call.info.writes if i < len(call.args)]
        return [leaf for leaf in tree_leaves((flat, outputs)) if isinstance(leaf, Tensor)]

    def _save_before_write(self, call: Call) -> None:
        for position in call.info.writes:
            for leaf in tree_leaves(call.args[position : position + 1]):
                value = self._values.get(_storage(leaf)) if isinstance(leaf, Tensor) else None
                if value is not None and value.direct and value.params[0] not in self.saved:
                    name = value.params[0]
                    self.saved[name] = self._parameters[name].detach().clone()
                elif isinstance(leaf, Tensor) and _storage(leaf) in self._inputs:
                    tensor, saved = self._inputs[_storage(leaf)]
                    self._inputs[_storage(leaf)] = tensor, tensor.detach().clone() if saved is None else saved

    def _set(self, tensor: Tensor, value: Value) -> None:
        storage = _storage(tensor)
        if storage not in self._values:
            # A weak reference keeps the storage's address from being reused, not its memory.
            self._alive.append(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
        old = self._values.get(storage)
        if old is not None and old.origin == "data" and value.origin != "data":
            value = replace(old)  # a constant written into part of a data tensor leaves it data
        self._values[storage] = value

    def _flush(self) -> None:
        """Hook the previous operation's outputs: autograd has given them their grad_fn only by now."""
        pending, self._pending = self._pending, []
        for tensor, index in pending:
            if tensor.requires_grad and self._measure:
                tensor.register_hook(self._hook(index))  # type: ignore[no-untyped-call]

    def _hook(self, index: int) -> Callable[[Tensor], None]:
        def note(grad: Tensor | None) -> None:
            if grad is not None and isinstance(grad, Tensor):
                draft = self.drafts[index]
                draft.grad_sample = take_sample(grad, self._batch, draft.stride)
                draft.grad_norm = norm_of(grad)

        return note

    def _info(self, func: Any) -> Info:
        info = self._infos.get(func)
        if info is None:
            name = ops.base_name(func)
            schema = getattr(func, "_schema", None)
            arguments = schema.arguments if schema is not None else ()
            writes = tuple(
                i for i, a in enumerate(arguments) if a.alias_info is not None and a.alias_info.is_write
            )
            info = self._infos[func] = Info(ops.plain_name(name), ops.categorize(name), writes)
        return info


_CONSTANT = Value("constant")


def _collect(values: Iterable[Any], found: list[Tensor]) -> None:
    """Append the tensors among the arguments or results of an operation, in lists and tuples of any depth."""
    # A general tree walk would be most of the cost of a tape. evidence: D-argument-walk.
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            _collect(value, found)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _is_data(call: Call, operands: list[Operand]) -> bool:
    """Whether the result counts as data: an input reaches it, or a constant or token meets a weight in a product."""
    if call.info.name in ops.FACTORIES:
        return False
    if any(value.origin == "data" for value in call.values):
        return True
    if call.info.category not in ("matmul", "weighted", "lookup"):
        return False
    names = [name for operand in operands for name in operand.params]
    return bool(names) and not any("parametrizations." in name for name in names)
