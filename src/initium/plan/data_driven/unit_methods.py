"""Policies that set every unit from data: data-dependent initialization, and weight normalization's.

Both are one forward sweep (`unit_sweep`); Kraehenbuehl et al. then equalize how fast the layers change.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from initium.methods.method import Value
from initium.plan.data_driven.baseline import Baseline, Found
from initium.plan.data_driven.differentiable_run import DifferentiableRun
from initium.plan.data_driven.patch_filters import make_filters
from initium.plan.data_driven.unit_sweep import UnitCorrections, UnitRequest, sweep_units
from initium.plan.records.assignment import Assignment
from initium.plan.write.apply import write
from initium.random import key_for
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Record
from initium.report import some

BALANCE_ROUNDS = 10
"""Rounds of balancing, as published."""
BALANCED_LOG_RATIO = 0.05
"""Largest log ratio of a layer's rate of change to the geometric mean at which balancing ends."""
DIRECTION_STD = 0.05
"""Of the directions of a weight-normalized layer (Salimans and Kingma, 2016)."""


def weight_norm_data(baseline: Baseline) -> Found:
    """Gain 1 / std and bias -mean / std for every unit, also where gain and direction are parameters of their own."""
    ruled = {one.name for one in baseline.assignments if one.rule == "rule"}
    pairs = {v: g for v, g in weight_norms(baseline.record).items() if not {v, g} & ruled}
    baseline = replace(
        baseline,
        assignments=tuple(
            _direction(baseline, one) if one.name in pairs else one for one in baseline.assignments
        ),
    )
    found = _swept(baseline, _wanted(baseline, (*baseline.tuned, *pairs), gains=pairs), baseline.assignments)
    parameters = named_tensors(baseline.run.model)
    # The sweep has left the gains in place.
    gains = {g: parameters[g] for v, g in pairs.items() if v in found.units}
    rest = [
        use.names[0] for use in baseline.record.sites if len(use.names) == 2 and use.names[0] not in pairs
    ]
    notes = (f"kept, since it has not one gain a unit that may be set: {some(rest, 4)}",) if rest else ()
    return tuple(
        _normalized(baseline, one, found, pairs, gains) for one in baseline.assignments
    ), notes + _notes(found)


def _normalized(
    baseline: Baseline,
    one: Assignment,
    found: UnitCorrections,
    pairs: Mapping[str, str],
    gains: Mapping[str, Tensor],
) -> Assignment:
    if one.name in gains:
        reason = "the gain that gives each unit's output a standard deviation of 1"
        return replace(
            _values(one, gains[one.name], reason), rule=baseline.rule, source=str(baseline.method.paper)
        )
    if one.name in found.units and one.name not in pairs:
        return _with_units(one, found.units[one.name])
    return _shifted(one, found)


def _swept(baseline: Baseline, wanted: UnitRequest, base: Sequence[Assignment]) -> UnitCorrections:
    """Write the draws of `base` afresh and correct the units in one forward."""
    run = baseline.run
    write(named_tensors(run.model), [one for one in base if not one.keeps], run.seed)
    return sweep_units(run.model, run.inputs, wanted, forward=run.forward, seed=run.seed)


def weight_norms(seen: Record) -> dict[str, str]:
    """Direction -> gain of the weights that are g v / |v|: one parameter of the weight's shape, one number a unit."""
    found = {}
    for use in seen.sites:
        if use.standardized and not use.direct and len(use.names) == 2 and use.layer is not None:
            v, g = (seen.parameter(name) for name in use.names)
            a_unit = v.shape == use.layer.shape and math.prod(g.shape) == use.layer.num_out == g.shape[0]
            if a_unit and not g.zero and not any(info.frozen or info.loaded or info.tied for info in (v, g)):
                found[v.name] = g.name
    return found


def kraehenbuehl(baseline: Baseline) -> Found:
    """Filters from data, units of mean 0 and std 1, then equal rates of change for all layers."""
    kind, notes = str(baseline.values["filters"]), list[str]()
    # The sweep overwrites a weight as its layer runs, so that filters are made from what the finished layers put out.
    filters = None if kind == "normal" else functools.partial(_filters, baseline.run.seed, kind)
    wanted = _wanted(baseline, baseline.tuned)
    found = _swept(baseline, replace(wanted, filters=filters), baseline.assignments)
    base = tuple(_made(one, found, kind) for one in baseline.assignments)
    notes += _notes(found)
    plain = [name for name in found.units if name not in found.made]
    if kind != "normal" and plain:
        notes.append(f"normal filters where data or size did not allow {kind}: {some(plain, 4)}")
    units = dict(found.units)
    if baseline.values["balance"]:
        units, found, note = _balanced(baseline, wanted, base, units, found)
        notes.append(note)
    return tuple(_shifted(_with_units(one, units.get(one.name)), found) for one in base), tuple(notes)


def _balanced(
    baseline: Baseline,
    wanted: UnitRequest,
    base: tuple[Assignment, ...],
    units: dict[str, Tensor],
    found: UnitCorrections,
) -> tuple[dict[str, Tensor], UnitCorrections, str]:
    """Multiply each weight by the root of its rate over the mean rate until all are equal; recentre each time.

    The round with the least spread counts: with skips and attention a weight's scale also moves the rates of others.
    """
    first, best, last = 0.0, (math.inf, units, found), next(reversed(found.size), "")
    for turn in range(BALANCE_ROUNDS + 1):
        rates = rates_of(baseline, list(units), turn)
        mean = math.exp(sum(map(math.log, rates.values())) / max(len(rates), 1))
        spread = max((abs(math.log(rate / mean)) for rate in rates.values()), default=0.0)
        first = spread if turn == 0 else first
        if spread < best[0]:
            best = spread, units, found
        if spread < BALANCED_LOG_RATIO or turn == BALANCE_ROUNDS:
            break
        # The output's size drifts where an activation is not homogeneous; a share in every layer takes it back.
        goal = mean * max(found.size.get(last, 1.0), 1e-6) ** (1 / len(rates))
        units = {
            name: factors * math.sqrt(rates[name] / goal) if name in rates else factors
            for name, factors in units.items()
        }
        found = _swept(baseline, replace(wanted, fixed=units), base)
    now, units, found = best
    before, now = math.exp(first), math.exp(now)
    note = f"rates of change differed by a factor of {before:.3g} from their mean, now by {now:.3g}"
    return units, found, note


def rates_of(baseline: Baseline, names: Sequence[str], turn: int) -> dict[str, float]:
    """Root mean square of gradient over that of weight, for a fresh random projection of the output."""
    run = DifferentiableRun(
        baseline.run.model, baseline.run.inputs, baseline.run.forward, None, baseline.run.seed + turn
    )
    with run.running():
        grads = run.gradient(run.value(run.output()), graph=False)
    by_name = dict(zip(run.trained, grads, strict=True))
    rates = {
        name: float(by_name[name].norm() / run.parameters[name].detach().norm().clamp_min(1e-30))
        for name in names
        if name in by_name
    }
    return {name: rate for name, rate in rates.items() if 0 < rate < math.inf}


def _wanted(baseline: Baseline, names: Sequence[str], gains: Mapping[str, str] | None = None) -> UnitRequest:
    layers = {one.name: one.layer for one in baseline.assignments if one.name in names}
    biases = frozenset(
        one.name for one in baseline.assignments if one.method == "zeros" and one.rule != "rule"
    )
    return UnitRequest(layers, biases, gains or {})


def _filters(seed: int, kind: str, name: str, x: Tensor, layer: object) -> Tensor | None:
    return make_filters(x, layer, kind, key_for(seed, f"{name} filters"))  # type: ignore[arg-type]


def _direction(baseline: Baseline, one: Assignment) -> Assignment:
    reason = "directions of a weight normalization; its gains set the scale"
    params: dict[str, Value] = {"std": DIRECTION_STD}
    return replace(
        one,
        method="normal",
        params=params,
        rule=baseline.rule,
        reason=reason,
        source=str(baseline.method.paper),
        found={},
    )


def _with_units(one: Assignment, factors: Tensor | None) -> Assignment:
    if factors is None:
        return one
    return replace(one, units=_numbers(factors))


def _made(one: Assignment, found: UnitCorrections, kind: str) -> Assignment:
    made = found.made.get(one.name)
    return one if made is None else _values(one, made, f"{kind} of what the layer reads")


def _shifted(one: Assignment, found: UnitCorrections) -> Assignment:
    shift = found.shifts.get(one.name)
    return (
        one
        if shift is None
        else _values(one, shift, "minus the mean of each unit's output, so units are centred")
    )


def _values(one: Assignment, tensor: Tensor, reason: str) -> Assignment:
    params: dict[str, Value] = {"values": _numbers(tensor.detach().flatten())}
    return replace(one, method="values", params=params, reason=reason, scale=1.0, found={})


def _numbers(tensor: Tensor) -> tuple[float, ...]:
    """As short decimals that are the same in fp32."""
    return tuple(float(f"{value:.9g}") for value in tensor.float().tolist())


def _notes(found: UnitCorrections) -> tuple[str, ...]:
    failed = (
        f"units could not be corrected, their output was not found or constant: {some(found.failed, 4)}",
    )
    constant = (
        f"constant units kept their scale: {sum(found.constant.values())} in {some(list(found.constant), 4)}",
    )
    return (failed if found.failed else ()) + (constant if found.constant else ())
