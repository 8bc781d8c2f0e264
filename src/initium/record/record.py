"""One run of a model: one forward and one backward, everything that starting weights depend on, nothing changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from initium.errors import InitiumError, ModelRunError, UsageError, UsageTypeError
from initium.random import fill_, key_for
from initium.random.distributions import Normal
from initium.record import ops
from initium.record.graph import Graph
from initium.record.inventory import (
    BufferInfo,
    ParameterInfo,
    check_lazy,
    named_tensors,
    original,
    take_buffers,
    take_inventory,
)
from initium.record.node import Node
from initium.record.roles import Part, parts_of
from initium.record.sampling import Moments, couplings_of, moments_of
from initium.record.state import restore_parameters, untouched
from initium.record.tape import Draft, Tape
from initium.record.uses import Use

Inputs = Tensor | tuple[Any, ...] | dict[str, Any]
Forward = Callable[[nn.Module, Any], Any]
Loss = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Record:
    """What one run of a model showed; plain data, no tensor and no module.

    Args:
        model: class name of the model.
        nodes: operations on data in execution order.
        uses: which operation takes which parameter.
        parameters: every parameter as it stood.
        buffers: every buffer as it stood.
        outputs: nodes whose values left the model.
        loss: value of the loss; None where nothing was differentiable.
        batch: number of samples.
        training: whether the model was in training mode.
        notes: what the reader should know ("no backward: ...").
    """

    model: str
    nodes: tuple[Node, ...]
    uses: tuple[Use, ...]
    parameters: tuple[ParameterInfo, ...]
    buffers: tuple[BufferInfo, ...]
    outputs: tuple[int, ...]
    loss: float | None
    batch: int
    training: bool
    notes: tuple[str, ...] = ()
    losses: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def graph(self) -> Graph:
        """The nodes as a graph: streams, branches, chains."""
        return Graph(self.nodes, self.outputs)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """What each parameter does in the model, by name."""
        return parts_of(self.graph, self.uses, self.parameters)

    @cached_property
    def sites(self) -> tuple[Use, ...]:
        """The weighted call sites in execution order: every use of a parameter as a weight."""
        return tuple(use for use in self.uses if use.how == "weight")

    def parameter(self, name: str) -> ParameterInfo:
        """The parameter of that name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ParameterInfo]:
        return {info.name: info for info in self.parameters}


def record(
    model: nn.Module,
    inputs: Inputs,
    *,
    forward: Forward | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> Record:
    """Run `model` once forward and once backward and return what was seen.

    Parameters, buffers, gradients, modes, attributes, hooks and random states are as before afterwards, also when
    the model raises.

    Args:
        model: any module; a compiled one is recorded as its original.
        inputs: a tensor, a tuple of positional arguments, or a dict of keyword arguments.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar; by default the sum of a dict of scalar losses, else a fixed random
            projection of every floating-point output.
        seed: of everything random during the run (dropout, the projection).

    Raises:
        UsageTypeError: `model` is no module, or `inputs` has the wrong type.
        UsageError: lazy parameters, or inputs that are not finite.
        ModelRunError: the model raised; the cause is attached.

    Example:
        >>> import torch
        >>> from initium.record import record
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> seen = record(net, torch.randn(32, 8))
        >>> [use.names[0] for use in seen.sites]
        ['0.weight', '2.weight']
    """
    model = check_model(model)
    leaves = check_inputs(inputs)
    parameters = named_tensors(model)
    batch = batch_size(inputs)
    with module_paths(model) as where, untouched(model, seed=seed):
        tape = Tape(parameters, batch=batch, where=where)
        try:
            tape.add_inputs([leaf for leaf in leaves if isinstance(leaf, Tensor)])
            output = run_forward(model, inputs, forward, tape)
            tape.finish()
            value, losses, grads, notes = _backward(output, loss, parameters, seed)
        finally:
            restore_parameters(parameters, tape.saved)
        outputs = _output_nodes(output, tape)
    used = frozenset(name for use in tape.uses for name in use.names)
    return Record(
        model=type(model).__name__,
        nodes=_nodes(tape.drafts),
        uses=tuple(tape.uses),
        parameters=take_inventory(model, used=used, grads=grads),
        buffers=take_buffers(model),
        outputs=outputs,
        loss=value,
        losses=losses,
        batch=batch,
        training=model.training,
        notes=notes,
    )


def inventory_only(model: nn.Module) -> Record:
    """The record of a model that cannot run: what it holds, and no run."""
    model = check_model(model)
    return Record(
        model=type(model).__name__,
        nodes=(),
        uses=(),
        parameters=take_inventory(model, used=frozenset(), grads={}),
        buffers=take_buffers(model),
        outputs=(),
        loss=None,
        batch=0,
        training=model.training,
        notes=("not run: parameters or buffers are on the meta device",),
    )


def check_model(model: object) -> nn.Module:
    """The module to record (the original of a compiled one), or a clear error."""
    if not isinstance(model, nn.Module):
        raise UsageTypeError(
            f"model is a {type(model).__name__}",
            expected="a torch.nn.Module instance",
            remedy="pass the model itself, not its class, its name or its state dict",
        )
    model = original(model)
    check_lazy(model)
    if next(model.parameters(), None) is None:
        raise UsageError(
            f"{type(model).__name__} has no parameters",
            expected="a model with at least one parameter",
            remedy="pass the module that owns the weights",
        )
    return model


def check_inputs(inputs: object) -> list[Any]:
    """The leaves of the inputs, or a clear error for wrong types and values that are not finite."""
    if not isinstance(inputs, (Tensor, tuple, dict)):
        raise UsageTypeError(
            f"inputs is a {type(inputs).__name__}",
            expected="a tensor, a tuple of positional arguments, or a dict of keyword arguments",
            remedy="wrap a list of images as (images,), or pass forward=",
        )
    leaves = tree_leaves(inputs)
    for leaf in leaves:
        if (
            isinstance(leaf, Tensor)
            and leaf.is_floating_point()
            and not leaf.is_meta
            and not torch.isfinite(leaf).all()
        ):
            raise UsageError(
                f"inputs hold values that are not finite (tensor of shape {tuple(leaf.shape)})",
                expected="finite inputs",
                remedy="remove nan and inf from the batch",
            )
    return leaves


def batch_size(inputs: Inputs) -> int:
    """Number of samples: the first axis of the first tensor, or the length of a list of images."""
    first = (
        inputs
        if isinstance(inputs, Tensor)
        else next(iter(inputs.values() if isinstance(inputs, dict) else inputs), None)
    )
    if isinstance(first, (list, tuple)):
        return max(len(first), 1)
    if isinstance(first, Tensor) and first.dim() > 0:
        return max(first.shape[0], 1)
    return 1


def run_forward(model: nn.Module, inputs: Inputs, forward: Forward | None, tape: Tape) -> Any:
    """Call the model under a tape with gradients on; its own errors come back as ModelRunError."""
    try:
        with torch.enable_grad(), tape:
            if forward is not None:
                return forward(model, inputs)
            if isinstance(inputs, dict):
                return model(**inputs)
            return model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    except InitiumError:
        raise
    except Exception as error:
        raise ModelRunError(
            f"{type(model).__name__} raised {type(error).__name__}: {error}",
            expected=f"a forward that runs on the inputs given ({_describe(inputs)})",
            remedy="check shape, dtype and device of the inputs, or pass forward=; the model is as it was",
        ) from error


@contextmanager
def module_paths(model: nn.Module) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the path of the module executing now."""
    names = {id(module): name for name, module in model.named_modules()}
    stack: list[str] = [""]

    def enter(module: nn.Module, _args: Any) -> None:
        stack.append(names.get(id(module), stack[-1]))

    def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
        if len(stack) > 1:
            stack.pop()

    handles = (
        nn.modules.module.register_module_forward_pre_hook(enter),
        nn.modules.module.register_module_forward_hook(leave, always_call=True),
    )
    try:
        yield lambda: stack[-1]
    finally:
        for handle in handles:
            handle.remove()


def _backward(
    output: Any, loss: Loss | None, parameters: dict[str, Tensor], seed: int
) -> tuple[float | None, dict[str, float], dict[str, Tensor | None], tuple[str, ...]]:
    """(loss value, named losses, parameter gradients, notes)."""
    scalar, losses = (loss(output), {}) if loss is not None else default_loss(output, seed)
    wanted = {name: p for name, p in parameters.items() if p.requires_grad}
    if scalar is None or not scalar.requires_grad or not wanted:
        return None, losses, {}, ("no backward: no output depends differentiably on a parameter",)
    if scalar.numel() != 1:
        raise UsageError(
            f"the loss has shape {tuple(scalar.shape)}",
            expected="a scalar",
            remedy="reduce it, for example with .mean()",
        )
    grads = torch.autograd.grad(scalar, list(wanted.values()), allow_unused=True)
    return float(scalar.detach()), losses, dict(zip(wanted, grads, strict=True)), ()


def default_loss(output: Any, seed: int) -> tuple[Tensor | None, dict[str, float]]:
    """The sum of a dict of scalar losses, else a random projection of every floating-point output.

    The projection's gradient has norm 1 per output tensor, so gradients of different models compare.
    """
    if isinstance(output, Mapping):
        scalars = {
            str(k): v
            for k, v in output.items()
            if isinstance(v, Tensor) and v.numel() == 1 and v.requires_grad
        }
        if scalars and len(scalars) == len(output):
            return sum(scalars.values(), torch.zeros(())), {k: float(v.detach()) for k, v in scalars.items()}
    total: Tensor | None = None
    for number, leaf in enumerate(_tensors(output)):
        if leaf.is_floating_point() and leaf.requires_grad and leaf.numel():
            direction = torch.empty(leaf.shape, dtype=torch.float32, device=leaf.device)
            fill_(direction, Normal(0.0, leaf.numel() ** -0.5), key_for(seed, f"loss.{number}"))
            term = (leaf.float() * direction).sum()
            total = term if total is None else total + term
    return total, {}


def _tensors(output: Any) -> list[Tensor]:
    leaves = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            leaves.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, type):
            leaves += [value for value in vars(leaf).values() if isinstance(value, Tensor)]
    return leaves


def _output_nodes(output: Any, tape: Tape) -> tuple[int, ...]:
    nodes = {tape.node_of(leaf) for leaf in _tensors(output)}
    return tuple(sorted(node for node in nodes if node >= 0))


def _nodes(drafts: list[Draft]) -> tuple[Node, ...]:
    samples, grads = [draft.sample for draft in drafts], [draft.grad_sample for draft in drafts]
    forward, backward, coupling = moments_of(samples), moments_of(grads), couplings_of(samples, grads)
    norms = [None if draft.grad_norm is None else float(draft.grad_norm) for draft in drafts]
    return tuple(
        Node(
            index, d.op, d.category, ops.ACTIVATIONS.get(d.op) or ops.NORMS.get(d.op, ""), d.module, d.inputs, d.operands,
            d.shape, d.stride, str(d.dtype).removeprefix("torch."), d.scalars, forward[index], backward[index],
            norms[index], _strength(forward[index], backward[index], coupling[index], norms[index]),
            d.dead, _saturated(d), d.channels[0] if d.channels else 0,
        )
        for index, d in enumerate(drafts)
    )  # fmt: skip


def _strength(
    value: Moments | None, grad: Moments | None, coupling: float | None, norm: float | None
) -> float | None:
    """S by rms(x) |dL/dx| over the whole tensor, corrected for where the two meet by what the samples show."""
    if value is None or grad is None or norm is None:
        return None
    apart = value.second * grad.second
    meeting = math.sqrt(coupling / apart) if coupling is not None and apart > 0 else 1.0
    return meeting * value.rms * norm


def _saturated(draft: Draft) -> float | None:
    bounds = ops.SATURATING.get(ops.ACTIVATIONS.get(draft.op, ""))
    if bounds is None or draft.sample is None:
        return None
    margin = 0.01 * (bounds[1] - bounds[0])
    values = draft.sample.float()
    return float(((values < bounds[0] + margin) | (values > bounds[1] - margin)).float().mean())


def _describe(inputs: Inputs) -> str:
    shapes = [
        f"{tuple(leaf.shape)} {str(leaf.dtype).removeprefix('torch.')} on {leaf.device}"
        for leaf in tree_leaves(inputs)
        if isinstance(leaf, Tensor)
    ]
    return "; ".join(shapes[:4]) or "no tensor"
