"""Policies that look at data or gradients: LSUV here, units in `unit_methods`, the search of scales in `scale_search`.

Each ends in plain assignments: a catalogue method and calibrated scales. The model is left as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from initium.errors import UsageError
from initium.methods.method import Method, Value
from initium.plan.auto import decisions
from initium.plan.data_driven.autoinit import autoinit
from initium.plan.data_driven.scale_search import DifferentiableRun, search
from initium.plan.data_driven.unit_methods import UnitContext, kraehenbuehl, weight_norm_data
from initium.plan.records.assignment import KEEP, Assignment
from initium.plan.scales.calibrate import Sweep, calibrate
from initium.plan.structure.branch_scale import MeasuredTarget
from initium.plan.write.apply import rollback, write
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Forward, Inputs, Loss, Record

BASE_METHODS = {
    "lsuv": "orthogonal",
    "kraehenbuehl": "he_normal",
    "weight_norm_data": "he_normal",
    "metainit": "he_normal",
    "gradinit": "he_normal",
    "nio": "he_normal",
    "autoinit": "he_normal",
}
"""The draw that each method starts from; its scales are what the method finds."""

BY_UNIT = {"kraehenbuehl": kraehenbuehl, "weight_norm_data": weight_norm_data}
"""Methods that set every unit by itself."""

Values = Mapping[str, Value]

Decided = tuple[tuple[Assignment, ...], tuple[str, ...]]


def driven_by(policy: str) -> tuple[Method, Values] | None:
    """The method of that policy and its parameters, if it must see the model at work; None for every other policy."""
    if policy in (*decisions.POLICIES, KEEP) or not isinstance(policy, str):
        return None
    method, params = decisions.read_policy(policy)
    return (method, method.resolve(**params)) if method.name in BASE_METHODS else None


def decide(
    model: nn.Module,
    method: Method,
    values: Values,
    seen: Record,
    ruled: Mapping[str, Assignment],
    inputs: Inputs,
    *,
    forward: Forward | None,
    loss: Loss | None,
    seed: int,
) -> Decided:
    """The assignments of a data-driven policy, and what the reader should know.

    Raises:
        UsageError: no engine for the method, no values to run the model on, or no loss where one is needed.
    """
    _check(method, seen, loss)
    base = _starts(seen, method, ruled)
    if method.name == "autoinit":  # by theory alone: it runs nothing, and so works on the meta device
        return autoinit(seen, base, [one.name for one in base if _tunable(one, seen)])
    parameters = named_tensors(model)
    # Every method rescales real weights in place; whatever it found is in the assignments, so all values go back.
    with rollback(parameters, list(parameters), always=True):
        write(parameters, [one for one in base if not one.keeps], seed)
        if method.name == "lsuv":
            return _lsuv(model, float(str(values["target"])) ** 2, seen, base, inputs, forward, seed)
        tuned = [one.name for one in base if _tunable(one, seen)]
        if method.name in BY_UNIT:
            rule, source = f"policy {method.name}", str(method.paper)
            context = UnitContext(model, seen, base, rule, source, inputs, forward, seed)
            return BY_UNIT[method.name](context, values, tuned)
        run = DifferentiableRun(model, inputs, forward, loss, seed)
        factors, note = search(method, values, run, tuned)
        return _scaled(base, factors), (note,)


def _check(method: Method, seen: Record, loss: Loss | None) -> None:
    if method.name != "autoinit" and any(info.meta for info in seen.parameters):
        raise UsageError(
            f"policy {method.name!r} on a model with parameters on the meta device",
            expected="a model that can run, since the method looks at what its layers put out",
            remedy='give the model storage first, or use policy="auto", which can plan by theory alone',
        )
    if method.name == "gradinit" and loss is None:
        raise UsageError(
            f"policy {method.name!r} without a loss",
            expected="a loss that takes the model's output: gradinit lowers its value after one step",
            remedy="pass loss=lambda output: torch.nn.functional.cross_entropy(output, labels)",
        )


def _starts(seen: Record, method: Method, ruled: Mapping[str, Assignment]) -> tuple[Assignment, ...]:
    """The draws before any scale is found: the base method for weights, zero for plain biases, the rest kept."""
    policy = decisions.everywhere(BASE_METHODS[method.name])
    context = decisions.Context(seen, False)
    result = []
    for info in seen.parameters:
        one = ruled.get(info.name) or policy(seen.parts[info.name], info, context)
        if one.rule != "rule" and not one.keeps and one.layer.kind not in (*method.layers, "vector"):
            reason = f"{method.name} is for weights of kind {' or '.join(method.layers)}"
            one = decisions.keep(seen.parts[info.name], info, "not a weight", reason)
        if one.rule != "rule" and not one.keeps:
            one = replace(one, rule=f"policy {method.name}", source=str(method.paper))
            if one.method != "zeros":
                one = replace(one, reason=f"{one.method}, at the scale that {method.name} found")
        result.append(one)
    return tuple(result)


def _lsuv(
    model: nn.Module,
    wanted: float,
    seen: Record,
    base: tuple[Assignment, ...],
    inputs: Inputs,
    forward: Forward | None,
    seed: int,
) -> Decided:
    """Every output to the target's standard deviation, each weight rescaled once as the one forward reaches it."""

    def target(_: Mapping[int, float]) -> float:
        return wanted

    targets: dict[str, MeasuredTarget] = {one.name: target for one in base if _tunable(one, seen)}
    base = tuple(replace(one, target=wanted) if one.name in targets else one for one in base)
    sweep: Sweep = calibrate(
        model, inputs, seen, base, forward=forward, seed=seed, targets=targets, moment=variance, shared=False
    )
    notes = tuple(
        f"{name} could not be calibrated: its output was constant, not finite or not found"
        for name in targets
        if name in sweep.failed or name not in sweep.factors
    )
    return _scaled(base, sweep.factors), notes


def variance(tensor: Tensor) -> float:
    """Variance over all elements, in at least fp32; the mean is left alone, as published."""
    if tensor.numel() < 2 or not tensor.is_floating_point():
        return 0.0
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return float(tensor.detach().to(wide).var(correction=0))


def _tunable(one: Assignment, seen: Record) -> bool:
    """Whether the scale is the method's to choose: a drawn matrix, not the user's own, whose scale is not taken out."""
    part = seen.parts[one.name]
    return (
        not one.keeps
        and one.rule != "rule"
        and one.method != "zeros"  # no factor gives it a variance
        and len(one.layer.shape) > 1
        and not part.standardized  # its scale is divided out before use
        and not part.packed  # weight normalization: its gain sets the scale
    )


def _scaled(base: tuple[Assignment, ...], factors: Mapping[str, float]) -> tuple[Assignment, ...]:
    return tuple(
        replace(one, scale=one.scale * factors[one.name]) if one.name in factors else one for one in base
    )
