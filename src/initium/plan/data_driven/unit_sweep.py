"""One forward sweep that brings every unit of every layer to mean 0 and standard deviation 1.

As in `calibrate`, each operation is measured and corrected as it runs; here unit by unit, with its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from initium.methods.kit.layout import per_unit
from initium.plan.scales.calibrate import CalibratingTape
from initium.record.parameters.inventory import named_tensors
from initium.record.run.call import Forward, Inputs, batch_size, module_paths, run_forward
from initium.record.run.restore import untouched
from initium.record.tape import ops
from initium.record.tape.tape import Call
from initium.record.tape.uses import Use
from initium.theory.layer import Layer

CONSTANT_UNIT_RATIO = 1e-6
"""Standard deviation over the layer's largest below which a unit counts as constant; a factor would scale rounding."""

LENGTH_TOLERANCE = 1e-2
"""Relative difference of length over gain between units that may come from the epsilon of a normalization."""

Filters = Callable[[str, Tensor, Layer], Tensor | None]
"""A weight by name, input and layer; None leaves what was drawn."""


@dataclass(frozen=True, slots=True)
class UnitRequest:
    """What a sweep may change.

    Args:
        layers: weights whose units are corrected, with their geometry.
        biases: biases that may be set.
        gains: weight -> parameter that multiplies its units (weight normalization); the weight itself if not here.
        filters: makes weights from what the layer reads.
        fixed: factors of the units of a weight where they are known: then only the mean is corrected.
    """

    layers: Mapping[str, Layer]
    biases: frozenset[str]
    gains: Mapping[str, str] = field(default_factory=dict)
    filters: Filters | None = None
    fixed: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(slots=True)
class UnitCorrections:
    """What a sweep found, by parameter: factors of units, biases, weights made; and what could not be corrected.

    Args:
        size: standard deviation of a layer's corrected output.
        constant: number of constant units, whose scale was left alone.
    """

    units: dict[str, Tensor] = field(default_factory=dict)
    shifts: dict[str, Tensor] = field(default_factory=dict)
    made: dict[str, Tensor] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    constant: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class UnitTape(CalibratingTape):  # type: ignore[no-untyped-call]
    """A tape that corrects the units of the weights in `wanted` as their operations run."""

    def __init__(
        self, parameters: Mapping[str, Tensor], wanted: UnitRequest, *, batch: int, where: Callable[[], str]
    ) -> None:
        targets = dict.fromkeys(wanted.layers, lambda _: 1.0)
        super().__init__(parameters, targets, batch=batch, where=where)
        self._wanted = wanted
        self.found = UnitCorrections()

    def _run(self, call: Call) -> Any:
        if self._wanted.filters is not None and call.info.category in ("weighted", "matmul"):
            use = self._due(call)
            # Before the operation runs, so that what is measured next is the output of the new filters; a weight that
            # was computed from the parameter already has its values.
            if use is not None and use.direct and use.names[0] not in self.found.made:
                self._make(call, use, self._wanted.filters)
        return super()._run(call)

    def _make(self, call: Call, use: Use, filters: Filters) -> None:
        name, data = use.names[0], self._data(call, use)
        made = None if data is None else filters(name, data, self._wanted.layers[name])
        if made is not None:
            self._parameters[name].detach().copy_(made)
            self.found.made[name] = made

    def _data(self, call: Call, use: Use) -> Tensor | None:
        """The operand that meets the weight from the left, as rows of numbers or as channels."""
        first = call.args[1 if call.info.name in ops.BIAS_FIRST else 0]
        return first if isinstance(first, Tensor) and use.names[0] not in self._names(call, first) else None

    def _names(self, call: Call, tensor: Tensor) -> tuple[str, ...]:
        """The parameters behind an argument."""
        return next((v.params for t, v in zip(call.tensors, call.values, strict=True) if t is tensor), ())

    def _rescale(self, call: Call, use: Use, out: Tensor) -> Tensor:
        name, found = use.names[0], self.found
        self.factors[name] = 1.0
        axis = self._axis(call, use, out)
        target = self._parameters[self._wanted.gains.get(name, name)]
        if axis is None or (name in self._wanted.gains and not self._multiplies(call, use, target)):
            found.failed.append(name)
            return out
        sides = [-1 if place == axis else 1 for place in range(out.dim())]
        bias, owner = self._shift(call)
        units = out.detach().movedim(axis, 0).flatten(1).to(torch.promote_types(out.dtype, torch.float32))
        old = units.new_zeros(len(units)) if bias is None else bias.detach().to(units.dtype, copy=True)
        # Without the old bias: the factor scales what the weight puts out, and the new bias centres that.
        mean, std = units.mean(1) - old, units.std(1, correction=0)
        if not bool(torch.isfinite(std).all()) or not bool((std > 0).any()):
            found.failed.append(name)
            return out
        factors = self._factors(name, std)
        new = -mean * factors if owner in self._wanted.biases else old
        found.units[name] = factors.float().cpu()
        self._write(name, target, factors.to(target))
        if bias is not None and owner in self._wanted.biases:
            found.shifts[owner] = new.float().cpu()
            self._parameters[owner].detach().copy_(new)
        found.size[name] = float((units.var(1, correction=0) * factors.square()).mean().sqrt())
        out.sub_(old.to(out).reshape(sides)).mul_(factors.to(out).reshape(sides))
        return out.add_(new.to(out).reshape(sides))

    def _multiplies(self, call: Call, use: Use, gain: Tensor) -> bool:
        """Whether every unit of the operand is as long as its gain says, as g v / |v| is."""
        layer = self._wanted.layers[use.names[0]]
        operand = next((t for t in call.tensors if use.names[0] in self._names(call, t)), None)
        if operand is None or gain.numel() != layer.num_out or layer.transposed:
            return False
        units = operand if operand.shape == layer.shape else operand.t()  # a linear's weight comes transposed
        if units.shape != layer.shape:
            return False
        share = torch.linalg.vector_norm(units.detach().flatten(1), dim=1) / gain.detach().flatten().abs()
        return bool(torch.isfinite(share).all()) and bool(
            (share - share[0]).abs().max() <= LENGTH_TOLERANCE * share[0]
        )

    def _factors(self, name: str, std: Tensor) -> Tensor:
        if name in self._wanted.fixed:
            return self._wanted.fixed[name].to(std)
        varying = std > CONSTANT_UNIT_RATIO * std.max()
        if not bool(varying.all()):
            self.found.constant[name] = int((~varying).sum())
        return torch.where(varying, 1 / std.clamp_min(1e-30), 1.0)

    def _write(self, name: str, target: Tensor, factors: Tensor) -> None:
        if name in self._wanted.gains:
            target.detach().mul_(factors.reshape(target.shape))
        else:
            target.detach().mul_(per_unit(self._wanted.layers[name], factors))

    def _axis(self, call: Call, use: Use, out: Tensor) -> int | None:
        """The axis of the output along which the units lie; None where it is not known."""
        layer = self._wanted.layers[use.names[0]]
        if (
            use.rows
            or out.dim() < 2
            or not out.is_floating_point()
            or (use.layer and use.layer.groups != layer.groups)
        ):
            return None
        if layer.kind in ("conv", "conv_transpose"):
            axis = out.dim() - len(layer.kernel) - 1
        elif layer.kernel:
            return None
        else:
            axis = out.dim() - (1 if self._data(call, use) is not None else 2)
        return axis if out.shape[axis] == layer.num_out else None

    def _shift(self, call: Call) -> tuple[Tensor | None, str]:
        """The bias that the operation adds, and the parameter that it is; "" if it is computed from others."""
        name = call.info.name
        place = ops.bias_place(name)
        bias = call.args[place] if place < len(call.args) else None
        if not isinstance(bias, Tensor) or bias.dim() != 1:
            return None, ""
        names = self._names(call, bias)
        return bias, names[0] if len(names) == 1 else ""


def sweep_units(
    model: nn.Module, inputs: Inputs, wanted: UnitRequest, *, forward: Forward | None, seed: int
) -> UnitCorrections:
    """One sweep over a model that holds its draws; weights and biases are corrected in place."""
    leaves = tree_leaves(inputs)
    with module_paths(model) as where, untouched(model, seed=seed):
        tape = UnitTape(named_tensors(model), wanted, batch=batch_size(inputs), where=where)
        try:
            tape.add_inputs([leaf for leaf in leaves if isinstance(leaf, Tensor)])
            run_forward(model, inputs, forward, tape)
        finally:
            tape.restore()
    return tape.found
