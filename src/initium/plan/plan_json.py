"""Plans as plain data: strict in what is read, so a hostile file is an error and never code."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from initium import plain_data
from initium.diagnose import Predicted
from initium.errors import InitiumError, UsageError
from initium.methods.catalogue import find
from initium.plan.records.assignment import KEEP, Assignment, check_assignments
from initium.predict.prediction import Bar
from initium.theory.layer import Kind, Layer

if TYPE_CHECKING:
    from initium.plan.plan import Plan

FORMAT = "initium.plan/1"
MAX_AXES = 16


def plan_to_data(plan: Plan) -> dict[str, Any]:
    """A plan as JSON-able data."""
    return {
        "format": FORMAT,
        "model": plan.model,
        "policy": plan.policy,
        "seed": plan.seed,
        "chosen": plan.chosen,
        "before": plan.before,
        "after": plan.after,
        "verdict": plan.verdict,
        "notes": list(plan.notes),
        "assignments": [_assignment_to_data(one) for one in plan.assignments],
        **({"predicted": [asdict(one) for one in plan.predicted]} if plan.predicted else {}),
    }


def plan_from_data(text: str) -> dict[str, Any]:
    """The fields of a plan in a JSON text, every one checked."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise ValueError(f"no {FORMAT!r} mark")
        assignments = tuple(_assignment_from_data(item) for item in data.pop("assignments"))
        content = {
            "model": plain_data.text(data.pop("model")),
            "policy": plain_data.text(data.pop("policy")),
            "seed": plain_data.whole(data.pop("seed")),
            "chosen": plain_data.text(data.pop("chosen", "")),
            "before": plain_data.number_or_none(data.pop("before", None)),
            "after": plain_data.number_or_none(data.pop("after", None)),
            "verdict": plain_data.text(data.pop("verdict", "")),
            "notes": plain_data.texts(data.pop("notes", [])),
            "predicted": tuple(_predicted(item) for item in data.pop("predicted", [])),
        }
        if data:
            raise ValueError(f"unknown fields {sorted(data)[:3]}")
        check_assignments(assignments)
    except InitiumError:
        raise
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise UsageError(
            f"the text is no plan ({type(error).__name__}: {error})",
            expected=f"JSON of format {FORMAT}, as Plan.to_json() writes it",
            remedy="write the plan again with Plan.to_json() or `initium plan -o plan.json`",
        ) from error
    return {**content, "assignments": assignments}


def _assignment_to_data(one: Assignment) -> dict[str, Any]:
    data = asdict(one)
    data["params"], data["found"] = dict(one.params), dict(one.found)
    return data


def _assignment_from_data(data: dict[str, Any]) -> Assignment:
    method = plain_data.text(data["method"])
    params = {
        plain_data.text(key): tuple(v) if isinstance(v, list) else v for key, v in data["params"].items()
    }
    if method != KEEP:
        found = find(method)
        method, params = found.name, {key: found.resolve(**params)[key] for key in params}
    scale = plain_data.positive(data["scale"], "scale")
    target = plain_data.positive(data.get("target", 1.0), "target")
    return Assignment(
        plain_data.text(data["name"]), method, _layer(data["layer"]), plain_data.text(data["role"]),
        plain_data.text(data["rule"]), plain_data.text(data["reason"]), params, scale,
        plain_data.text(data["source"]), target, _found(data.get("found", {})), _factors(data.get("units", [])),
    )  # fmt: skip


def _predicted(data: dict[str, Any]) -> Predicted:
    gradient, names = data["gradient"], plain_data.texts(data["names"])
    if not names:
        raise ValueError("a prediction for no weight")
    return Predicted(
        **_bar(data), node=plain_data.whole(data["node"], low=0), names=names,
        restarted=plain_data.text(data["restarted"]), gradient=None if gradient is None else Bar(**_bar(gradient)),
    )  # fmt: skip


def _bar(data: dict[str, Any]) -> dict[str, Any]:
    measured = plain_data.number_or_none(data["measured"])
    second, error = plain_data.number(data["second"]), plain_data.number(data["error"])
    if not (0 <= second < math.inf and 0 <= error < math.inf):
        raise ValueError(f"a prediction of {second} with an error of {error}")
    return {
        "second": second,
        "error": error,
        "measured": measured,
        "outside": plain_data.text(data["outside"]),
    }


def _factors(values: Any) -> tuple[float, ...]:
    """One positive factor a unit."""
    if not isinstance(values, list):
        raise ValueError(f"{values!r} is no list of factors")
    return tuple(plain_data.positive(value, "factor of a unit") for value in values)


def _found(data: dict[str, Any]) -> dict[str, Any]:
    """How the values were found: a method of the catalogue and its parameters."""
    if not data:
        return {}
    params = dict(data)
    found = find(plain_data.text(params.pop("method")))
    return {"method": found.name, **{key: found.resolve(**params)[key] for key in params}}


def _layer(data: dict[str, Any]) -> Layer:
    kind = data["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"unknown kind of layer {kind!r}")
    tuples = ("shape", "stride", "padding", "dilation", "output_padding", "input_size", "blocks")
    sizes = {name: _sizes(data[name]) for name in tuples}
    numbers = {name: plain_data.whole(data[name]) for name in ("out_axis", "in_axis", "groups")}
    if kind != "vector":
        _check_axes(sizes, numbers)
    geometry: dict[str, Any] = {**sizes, **numbers}
    return Layer(kind=kind, **geometry)


def _check_axes(sizes: dict[str, tuple[int, ...]], numbers: dict[str, int]) -> None:
    """Raise unless the axes, groups and blocks of a layer fit its shape."""
    shape, groups = sizes["shape"], numbers["groups"]
    axes = [numbers["out_axis"], numbers["in_axis"]]
    if groups < 1 or not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(f"axes and groups of a layer {numbers} do not fit shape {shape}")
    if axes[0] % len(shape) == axes[1] % len(shape):
        raise ValueError(f"one axis of shape {shape} cannot be both inputs and outputs")
    if shape[0] % groups:
        raise ValueError(f"{groups} groups do not divide the {shape[0]} channels of shape {shape}")
    if sizes["blocks"] and sum(sizes["blocks"]) != shape[axes[0]]:
        raise ValueError(f"blocks {sizes['blocks']} do not fill the output axis of shape {shape}")


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, list) or len(values) > MAX_AXES:
        raise ValueError(f"{values!r} is no list of sizes")
    return tuple(plain_data.whole(value, low=0) for value in values)
