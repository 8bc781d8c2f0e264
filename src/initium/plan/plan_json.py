"""How plans and receipts stand in JSON: strict in what is read, so a hostile file is an error and never code."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from initium import plain_data
from initium.codec import Form, register
from initium.methods.catalogue import find, is_listed
from initium.plan.plan import Plan
from initium.plan.records.assignment import KEEP, Assignment, check_assignments
from initium.plan.records.receipt import Receipt
from initium.predict.prediction import Bar, Predicted
from initium.theory.layer import Layer

PLAN_FORMAT = "initium.plan/1"
RECEIPT_FORMAT = "initium.receipt/1"
MAX_AXES = 16
SIZE_FIELDS = ("shape", "stride", "padding", "dilation", "output_padding", "input_size", "blocks")


def _params(data: Any) -> dict[str, Any]:
    """Parameters of a method; JSON has lists where they are tuples."""
    return {
        key: tuple(one) if isinstance(one, list) else one for key, one in plain_data.entries(data).items()
    }


def _resolved(method: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The catalogue's name of a method, and parameters of the kinds that it takes."""
    found = find(method)
    return found.name, {key: found.resolve(**params)[key] for key in params}


def _found(data: Any) -> dict[str, Any]:
    """How the values were found: a method of the catalogue and its parameters."""
    params = dict(plain_data.entries(data))
    if not params:
        return {}
    name, params = _resolved(plain_data.text(params.pop("method")), params)
    return {"method": name, **params}


def _factors(values: Any) -> tuple[float, ...]:
    return tuple(plain_data.positive(value, "factor of a unit") for value in plain_data.items(values))


def _sizes(values: Any) -> tuple[int, ...]:
    if len(plain_data.items(values)) > MAX_AXES:
        raise ValueError(f"{len(values)} sizes, more than {MAX_AXES}")
    return tuple(plain_data.whole(value, low=0) for value in values)


def _settle_plan(found: dict[str, Any]) -> None:
    check_assignments(found["assignments"])


def _settle_assignment(found: dict[str, Any]) -> None:
    if found["method"] != KEEP:
        found["method"], found["params"] = _resolved(found["method"], found.get("params", {}))
        method = find(found["method"])
        found["own"] = None if is_listed(method) else method


def _settle_bar(found: dict[str, Any]) -> None:
    second, error = found["second"], found["error"]
    if not (0 <= second < math.inf and 0 <= error < math.inf):
        raise ValueError(f"a prediction of {second} with an error of {error}")


def _settle_predicted(found: dict[str, Any]) -> None:
    _settle_bar(found)
    if not found["names"]:
        raise ValueError("a prediction for no weight")


def _settle_layer(found: dict[str, Any]) -> None:
    """Raise unless the axes, groups and blocks of a layer fit its shape."""
    if found["kind"] == "vector":
        return
    shape, groups, blocks = found["shape"], found.get("groups", 1), found.get("blocks", ())
    axes = [found.get("out_axis", 0), found.get("in_axis", 1)]
    if groups < 1 or not all(-len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(f"axes {axes} and {groups} groups of a layer do not fit shape {shape}")
    if axes[0] % len(shape) == axes[1] % len(shape):
        raise ValueError(f"one axis of shape {shape} cannot be both inputs and outputs")
    if shape[0] % groups:
        raise ValueError(f"{groups} groups do not divide the {shape[0]} channels of shape {shape}")
    if blocks and sum(blocks) != shape[axes[0]]:
        raise ValueError(f"blocks {blocks} do not fill the output axis of shape {shape}")


register(
    Plan,
    Form(
        what="plan",
        mark=PLAN_FORMAT,
        remedy="write the plan again with Plan.to_json() or `initium plan -o plan.json`",
        order=(
            "model", "policy", "seed", "chosen", "before", "after", "verdict", "notes", "assignments", "predicted",
        ),
        brief=frozenset({"predicted"}),
        settle=_settle_plan,
    ),
)  # fmt: skip
register(
    Assignment,
    Form(
        readers={
            "params": _params,
            "scale": lambda value: plain_data.positive(value, "scale"),
            "target": lambda value: plain_data.positive(value, "target"),
            "found": _found,
            "units": _factors,
        },
        order=tuple(one.name for one in fields(Assignment) if one.name != "own"),
        fixed={"own": None},
        settle=_settle_assignment,
    ),
)
register(Layer, Form(readers=dict.fromkeys(SIZE_FIELDS, _sizes), settle=_settle_layer))
register(Bar, Form(settle=_settle_bar))
register(
    Predicted, Form(readers={"node": lambda value: plain_data.whole(value, 0)}, settle=_settle_predicted)
)
register(Receipt, Form(what="receipt", mark=RECEIPT_FORMAT, remedy="write it again with Receipt.to_json()"))
