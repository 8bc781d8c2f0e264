"""One run of a model: one forward and one backward, everything that starting weights depend on, nothing changed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from initium.errors import UsageError, UsageTypeError
from initium.record.graph.graph import Graph
from initium.record.graph.roles import Part, parts_of
from initium.record.parameters.inventory import (
    BufferInfo,
    ParameterInfo,
    check_lazy,
    named_tensors,
    original,
    take_buffers,
    take_inventory,
)
from initium.record.run.call import (
    Forward as Forward,
)
from initium.record.run.call import (
    Inputs as Inputs,
)
from initium.record.run.call import (
    batch_size,
    check_inputs,
    check_samples,
    differentiable,
    module_paths,
    run_forward,
    tracked,
)
from initium.record.run.loss import Loss as Loss
from initium.record.run.loss import backward, tensors_of
from initium.record.run.noise_inputs import with_data
from initium.record.run.restore import untouched
from initium.record.tape import ops
from initium.record.tape.activation_curves import Curve
from initium.record.tape.moments import Moments, couplings_of, moments_of, unit_error
from initium.record.tape.node import Node
from initium.record.tape.tape import Draft, Tape
from initium.record.tape.uses import Use


@dataclass(frozen=True)
class Record:
    """What one run of a model showed; plain data, no tensor but the curves and no module.

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
        losses: named parts of the loss, where the model returned them.
        chance: what the loss would be if the model knew nothing (ln C for a cross-entropy); None where not known.
        curves: node -> the function of a weight's or norm's output that it is, where operations between are pointwise.
        part_curves: the same of values that are functions of but a part of such an output, as one half of it.

    Example:
        >>> import torch
        >>> seen = record(nn.Linear(8, 4), torch.randn(16, 8))
        >>> seen.model, seen.batch, [(info.name, info.shape) for info in seen.parameters]
        ('Linear', 16, [('weight', (4, 8)), ('bias', (4,))])
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
    chance: float | None = None
    curves: Mapping[int, Curve] = field(default_factory=dict, compare=False)
    part_curves: Mapping[int, Curve] = field(default_factory=dict, compare=False)

    @cached_property
    def graph(self) -> Graph:
        """The nodes as a graph, with its streams, branches and chains."""
        return Graph(self.nodes, self.outputs)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """What each parameter does in the model, by name."""
        return parts_of(self.graph, self.uses, self.parameters)

    @cached_property
    def sites(self) -> tuple[Use, ...]:
        """The weighted call sites in execution order, every use of a parameter as a weight."""
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
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or, where there are no data, the
            shape of one sample as in (3, 224, 224), which is run on noise.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar; by default the sum of a dict of scalar losses, else a fixed random
            projection of every floating-point output.
        seed: of everything random during the run (dropout, the projection).

    Raises:
        UsageTypeError: `model` is no module, or `inputs` has the wrong type.
        UsageError: lazy parameters, an empty batch, or inputs that are not finite.
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
    inputs, made_up = prepared(model, inputs, seed)
    seen = run_once(model, inputs, forward=forward, loss=loss, seed=seed)
    return replace(seen, notes=(*seen.notes, made_up)) if made_up else seen


def prepared(model: nn.Module, inputs: object, seed: int) -> tuple[Inputs, str]:
    """The inputs to run on, checked once for all runs, and what was made up in their place ("" if nothing was).

    Raises:
        UsageTypeError: inputs of the wrong type.
        UsageError: an empty batch, or inputs that are not finite.
    """
    ready, made_up = with_data(model, inputs, seed)
    check_samples(check_inputs(ready))
    return ready, made_up


def run_once(
    model: nn.Module, inputs: Inputs, *, forward: Forward | None, loss: Loss | None, seed: int
) -> Record:
    """`record` for a model and inputs that were checked already."""
    parameters = named_tensors(model)
    batch = batch_size(inputs)
    with differentiable(), module_paths(model) as where, untouched(model, seed=seed):
        tape = Tape(parameters, batch=batch, where=where)
        inputs = tracked(inputs)
        tensors = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)]
        try:
            tape.add_inputs(tensors)
            output = run_forward(model, inputs, forward, tape)
            tape.finish()
            back = backward(output, loss, parameters, tensors, seed)
        finally:
            tape.restore()
        outputs = _output_nodes(output, tape)
    used = frozenset(name for use in tape.uses for name in use.names)
    return Record(
        model=type(model).__name__,
        nodes=_nodes(tape.drafts, batch),
        uses=tuple(tape.uses),
        parameters=take_inventory(model, used=used, grads=back.grads),
        buffers=take_buffers(model),
        outputs=outputs,
        loss=back.loss,
        losses=back.losses,
        chance=back.chance,
        batch=batch,
        training=model.training,
        notes=back.notes,
        curves={node: curve for node, curve in tape.curves.known.items() if curve.window is None},
        part_curves={node: curve for node, curve in tape.curves.known.items() if curve.window is not None},
    )


def alone(seen: Record, inputs: object, forward: object, loss: object) -> Record:
    """The record that a user passes in place of a model and inputs.

    Raises:
        UsageTypeError: there is something to run a model with beside it.
    """
    given = {"inputs": inputs, "forward": forward, "loss": loss}
    beside = [name for name, value in given.items() if value is not None]
    if beside:
        raise UsageTypeError(
            f"{' and '.join(beside)} beside a record of {seen.model}",
            expected="the record alone, since it holds what was run, or the model with its inputs",
            remedy="leave them out, or pass the model in place of the record",
        )
    return seen


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


def _output_nodes(output: Any, tape: Tape) -> tuple[int, ...]:
    nodes = {tape.node_of(leaf) for leaf in tensors_of(output)}
    return tuple(sorted(node for node in nodes if node >= 0))


def _nodes(drafts: list[Draft], batch: int) -> tuple[Node, ...]:
    samples, grads = [draft.sample for draft in drafts], [draft.grad_sample for draft in drafts]
    forward, backward, coupling = moments_of(samples), moments_of(grads), couplings_of(samples, grads)
    norms = [None if draft.grad_norm is None else float(draft.grad_norm) for draft in drafts]
    return tuple(
        Node(
            index=index,
            op=d.op,
            category=d.category,
            kind=ops.ACTIVATIONS.get(d.op) or ops.NORMS.get(d.op, ""),
            module=d.module,
            inputs=d.inputs,
            operands=d.operands,
            shape=d.shape,
            stride=d.stride,
            dtype=str(d.dtype).removeprefix("torch."),
            scalars=d.scalars,
            noise=d.noise,
            mixes=d.mixes,
            forward=forward[index],
            backward=backward[index],
            gradient=norms[index],
            strength=_strength(forward[index], backward[index], coupling[index], norms[index]),
            dead=d.dead,
            saturated=_saturated(d),
            units=d.channels[0] if d.channels else 0,
            unit_error=unit_error(d.sample, d.shape, batch, d.channels)
            if d.category == "weighted" and d.channels
            else None,
        )
        for index, d in enumerate(drafts)
    )


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
    margin = ops.SATURATION_MARGIN * (bounds[1] - bounds[0])
    values = draft.sample.float()
    return float(((values < bounds[0] + margin) | (values > bounds[1] - margin)).float().mean())
