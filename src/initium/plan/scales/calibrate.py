"""Scale every weight in one forward sweep.

As each operation runs, its output is measured, weight and output are rescaled to the target, and the run goes on.

The literature's LSUV pays at least one forward for every layer; a sweep costs one forward at any depth, since all that
an operation reads has its final scale by the time it runs (evidence: E-lsuv-sweep).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from initium.plan.records.assignment import Assignment
from initium.plan.structure.branch_scale import MeasuredTarget, target_of, watched
from initium.plan.structure.embedding_tables import SMALL_VARIANCE_POSITIONS
from initium.plan.structure.unweighted_ends import End, unweighted_ends
from initium.record.graph.roles import Part
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Record
from initium.record.run.call import Forward, Inputs, batch_size, module_paths, run_forward
from initium.record.run.restore import untouched
from initium.record.tape import ops
from initium.record.tape.tape import Call, Tape
from initium.record.tape.uses import Use, uses_of

Moment = Callable[[Tensor], float]
"""What of an output is brought to its target: the second moment, or the variance for LSUV."""

MAX_FACTOR = 1e6
"""Bound on a factor and its inverse: an output further than that from its target is rounding, no signal."""

REUSE_TOLERANCE = 1.5
"""Ratio to its target above which a later use of a shared weight makes the weight smaller for all its uses."""

LEAST_WEIGHT_SHARE = 1e-4
"""Least share of an output's second moment that is not its bias's, for the weight to be measured by it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Result of a sweep: the factor found for each parameter, and the names whose output was zero or not finite."""

    factors: Mapping[str, float]
    failed: tuple[str, ...]


class CalibratingTape(Tape):  # type: ignore[no-untyped-call]
    """A tape that rescales the weights in `targets` as their operations run."""

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        targets: Mapping[str, MeasuredTarget],
        *,
        batch: int,
        where: Callable[[], str],
        moment: Moment | None = None,
        shared: bool = True,
    ) -> None:
        super().__init__(parameters, batch=batch, where=where, measure=False)
        self._moment = moment or second_moment
        self.factors: dict[str, float] = {}
        self.failed: list[str] = []
        self._targets = targets
        self._shared = shared
        self._needed_seconds: dict[int, float] = {}
        self._looked_up: dict[int, str] = {}
        self._held: dict[str, Tensor] = {}
        self.watch: frozenset[int] = frozenset()
        self.ends: Mapping[int, End] = {}
        self.tables: frozenset[str] = frozenset()

    def _run(self, call: Call) -> Any:
        out = super()._run(call)
        index = len(self.drafts)
        use = self._due(call) if call.info.category in ("weighted", "matmul") else None
        if use is not None and isinstance(out, Tensor):
            out = self._rescale(call, use, out)
            # Kept until the branch is complete, when the end finds out by how much this output must change.
            if any(end.name == use.names[0] for end in self.ends.values()):
                self._held[use.names[0]] = out
        if call.info.category == "lookup":
            self._looked_up[index] = _only(call.values[0].params)
        if self.tables and call.info.category == "add" and isinstance(out, Tensor):
            self._fit_table(call, out)
        end = self.ends.get(index)
        # Data-dependent control flow may run other operations than the record saw: the name must agree, too.
        if end is not None and call.info.name == end.op and isinstance(out, Tensor):
            self._scale_end(end, out)
        if index in self.watch and (main := _main(out)) is not None:
            self._needed_seconds[index] = second_moment(main)
        return out

    def _due(self, call: Call) -> Use | None:
        """The use of a weight that has a target, and was not yet calibrated or may be too large for this use."""
        if not any(value.params for value in call.values):
            return None
        for use in uses_of(call.info.name, len(self.drafts), call.args, self._operands(call)):
            if use.how == "weight" and use.names[0] in self._targets and self._may_rescale(use.names[0]):
                return use
        return None

    def _may_rescale(self, name: str) -> bool:
        return name not in self.factors or self._shared

    def _rescale(self, call: Call, use: Use, out: Tensor) -> Tensor:
        name, bias = use.names[0], self._bias(call)
        measured, target = self._moment(out), self._targets[name](self._needed_seconds)
        if bias is not None:
            # No factor on the weight changes what the bias adds, so the target is for the rest.
            share = self._moment(out.detach() - _along_units(call, bias, out))
            measured = share if share > LEAST_WEIGHT_SHARE * measured else 0.0
        if not (math.isfinite(measured) and measured > 0 and math.isfinite(target) and target > 0):
            if name not in self.factors:
                self.factors[name] = 1.0
                self.failed.append(name)
            return out
        if name in self.failed:  # at an earlier use, which was given zeros
            self.failed.remove(name)
        elif name in self.factors and measured <= REUSE_TOLERANCE * target:
            return out
        factor = min(max(math.sqrt(target / measured), 1 / MAX_FACTOR), MAX_FACTOR)
        self.factors[name] = factor * self.factors.get(name, 1.0)
        self._parameters[name].detach().mul_(factor)
        # With a bias the operation is run again, since scaling its output would scale the bias as well.
        # An operand that was computed from the parameter still has the old scale, so only the output can be rescaled.
        rescaled: Tensor = (
            call.func(*call.args, **call.kwargs) if use.direct and bias is not None else out.mul_(factor)
        )
        return rescaled

    def _fit_table(self, call: Call, out: Tensor) -> None:
        """Bring a table to the size of the signal that it is added to."""
        names = [_only(value.params) or self._looked_up.get(value.node, "") for value in call.values]
        due = [i for i, name in enumerate(names) if name in self.tables and name not in self.factors]
        if not due or len(names) != 2 or call.kwargs:  # a keyword such as alpha= scales one of the two
            return
        name, added = names[due[0]], call.tensors[due[0]].detach()
        content, table = self._moment(out.detach() - added), self._moment(added)
        usable = 0 < content < math.inf and 0 < table < math.inf
        factor = math.sqrt(content / table) if usable else 1.0
        out.detach().add_(added * (factor - 1.0))
        self._parameters[name].detach().mul_(factor)
        self.factors[name] = factor

    def _scale_end(self, end: End, value: Tensor) -> None:
        """Bring what a branch makes to its target by its last weight; down only where the degree is but a bound."""
        held = self._held.pop(end.name, None)
        measured, wanted = second_moment(value), end.target(self._needed_seconds)
        usable = 0 < measured < math.inf and 0 < wanted < math.inf
        # The degree is that of the slowest path. Scaling down by too small a power stays above the target; scaling up
        # would overshoot it on a path of higher degree.
        if held is None or not usable or (end.degree > 1 and measured < wanted):
            return
        size = math.sqrt(wanted / measured)
        factor = size ** (1 / end.degree)
        self.factors[end.name] *= factor
        self._parameters[end.name].detach().mul_(factor)
        # The weight's own output has other readers, which must see the factor too, but once: an in-place activation or
        # a view has made it the value itself.
        if held.untyped_storage().data_ptr() != value.untyped_storage().data_ptr():
            held.mul_(factor)
        value.mul_(size)

    def _bias(self, call: Call) -> Tensor | None:
        """The bias that the operation adds, if it is not zero."""
        position = 0 if call.info.name in ops.BIAS_FIRST else 2
        bias = call.args[position] if position < len(call.args) else None
        return bias if isinstance(bias, Tensor) and bias.dim() <= 1 and bool(bias.any()) else None


def _along_units(call: Call, bias: Tensor, out: Tensor) -> Tensor:
    """The bias of an operation in the shape that is added to its output."""
    after = out.dim() - 2 if call.info.name in ops.CONVOLUTIONS else 0
    return bias.detach().reshape(*bias.shape, *[1] * after)


def _only(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""


def _main(out: Any) -> Tensor | None:
    """The value among an operation's results: a norm returns its statistics beside it."""
    first = out[0] if isinstance(out, (tuple, list)) and out else out
    return first if isinstance(first, Tensor) else None


def second_moment(tensor: Tensor) -> float:
    """E[x^2] over all elements, in at least fp32."""
    if tensor.numel() == 0 or not tensor.is_floating_point():
        return 0.0
    return (
        float(
            torch.linalg.vector_norm(tensor.detach(), dtype=torch.promote_types(tensor.dtype, torch.float32))
        )
        ** 2
        / tensor.numel()
    )


def calibrate(
    model: nn.Module,
    inputs: Inputs,
    record: Record,
    assignments: Sequence[Assignment],
    *,
    forward: Forward | None,
    seed: int,
    targets: Mapping[str, MeasuredTarget] | None = None,
    moment: Moment | None = None,
    shared: bool = True,
) -> Sweep:
    """One sweep over a model that already holds the assignments' draws; its weights are rescaled in place.

    A weight that is used several times is calibrated at its first use and, if `shared`, made smaller at later ones
    that come out too large.
    """
    ends: Mapping[int, End] = {}
    if targets is None:  # targets of a caller (LSUV) are for weights alone, not for branches
        targets = targets_of(record, assignments)
        ends = unweighted_ends(record, targets)
    parameters = named_tensors(model)
    leaves = tree_leaves(inputs)
    with module_paths(model) as where, untouched(model, seed=seed):
        tape = CalibratingTape(
            parameters, targets, batch=batch_size(inputs), where=where, moment=moment, shared=shared
        )
        tape.watch = watched(record.graph)
        tape.ends = ends
        tape.tables = frozenset(one.name for one in assignments if one.rule == SMALL_VARIANCE_POSITIONS)
        try:
            tape.add_inputs([leaf for leaf in leaves if isinstance(leaf, Tensor)])
            run_forward(model, inputs, forward, tape)
        finally:
            tape.restore()
    return Sweep(tape.factors, tuple(tape.failed))


def targets_of(record: Record, assignments: Sequence[Assignment]) -> dict[str, MeasuredTarget]:
    """Parameter name -> target of its output, for every assigned weight whose scale matters."""
    return {
        one.name: _target(record, record.parts[one.name], one.target)
        for one in assignments
        if not one.keeps
        and one.rule != "rule"  # what the user asked for is not rescaled
        and one.layer.kind in ("linear", "conv", "conv_transpose")
        and _matters(record.parts[one.name], one)
    }


def _matters(part: Part, one: Assignment) -> bool:
    return (
        not part.scale_free
        and not part.standardized
        and not part.packed
        and one.method not in ("zeros", "constant")
    )


def _target(record: Record, part: Part, planned: float) -> MeasuredTarget:
    """The planned second moment, or that of the branch which the weight ends."""
    residual = part.branch
    if part.role != "branch_end" or residual is None or "branch" not in part.follows:
        return lambda _: planned
    return target_of(record.graph, residual)
