"""Inits of trials: what a user may give, as plain data, and how a trial applies them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from initium.diagnose import diagnose
from initium.engines import function_of, name_of
from initium.errors import UsageError, UsageTypeError
from initium.plan import Plan, Rule
from initium.plan.build import planned
from initium.plan.policy_table import policy_of
from initium.study.tasks import Probe

Start = Callable[[nn.Module, Probe, int], object]
"""A user's own init: changes the model in place; given one training batch and the seed."""
Init = str | Plan | Start | Mapping[str, Any]
"""A policy of `initium.plan` by name, a plan, a function, or any of them as plain data."""


@dataclass(frozen=True)
class Health:
    """A model before its first step.

    Args:
        verdict: "healthy", "warning" or "unhealthy".
        badness: how far from perfect; 0 is perfect.
        chosen: which candidate the policy "auto" took; "" for the others.
    """

    verdict: str
    badness: float
    chosen: str = ""


def init_data(init: Init) -> dict[str, Any]:
    """An init as plain data for a `TrialSpec`.

    Raises:
        UnknownNameError: no policy or method of that name.
        UsageError: a function that a worker cannot import.
        UsageTypeError: something that is no init.

    Example:
        >>> init_data("he_normal")
        {'kind': 'policy', 'policy': 'he_normal'}
    """
    if isinstance(init, str):
        policy_of(init)
        return {"kind": "policy", "policy": init}
    if isinstance(init, Plan):
        applied = replace(init, predicted=())  # what theory says of a plan is no part of the trial
        return {"kind": "plan", "plan": json.loads(applied.to_json())}
    if isinstance(init, Mapping):
        return dict(init)
    if callable(init):
        return {"kind": "function", "function": name_of(init)}
    raise UsageTypeError(
        f"an init is a {type(init).__name__}",
        expected='a name such as "auto", "shipped" or "he_normal", an initium.Plan, or a function(model, probe, seed)',
        remedy="see initium.methods() for the names",
    )


def init_label(init: Mapping[str, Any]) -> str:
    """A short name of an init, for tables."""
    if init["kind"] == "policy":
        return str(init["policy"])
    if init["kind"] == "plan":
        return f"plan {init['plan'].get('policy', '')}".strip()
    return str(init["function"]).rpartition(":")[2]


def start(model: nn.Module, init: Mapping[str, Any], probe: Probe, *, seed: int) -> str:
    """Gives the model its starting weights; returns which candidate was chosen ("" where there is no choice).

    Raises:
        UsageError: a function leaves numbers that are not finite.
        UsageError, PlanMismatchError, ModelRunError: the init and the model do not fit.
    """
    if init["kind"] == "function":
        function_of(init["function"])(model, probe, seed)
        _check_finite(model)
        return ""
    made = plan_for(model, init, probe, seed=seed)
    made.apply(model, seed=seed)
    return made.chosen if init["kind"] == "policy" else ""


def _check_finite(model: nn.Module) -> None:
    """Refuses what a function of the user left; a plan verifies its own values."""
    for name, one in model.named_parameters():
        wrong = one.numel() - int(torch.isfinite(one).sum())
        if wrong:
            raise UsageError(
                f"it left {wrong} of {one.numel()} values of the parameter {name!r} nan or infinite",
                expected="a finite number in every place of every parameter",
                remedy="correct the function: look for divisions by zero, roots of negative numbers, and overflow",
            )


def plan_for(model: nn.Module, init: Mapping[str, Any], probe: Probe, *, seed: int) -> Plan:
    """The plan that an init makes for a model; no weight is touched.

    Raises:
        UsageError, ModelRunError: the init and the model do not fit.
    """
    if init["kind"] == "plan":
        return Plan.from_json(json.dumps(init["plan"]))
    rules = [
        Rule(where=one["where"], method=one["method"], **one.get("params", {}))
        for one in init.get("rules", ())
    ]
    return planned(model, policy=init["policy"], rules=rules, seed=seed, **vars(probe)).plan


def health(model: nn.Module, probe: Probe, *, seed: int, chosen: str = "") -> Health:
    """What `diagnose` says of the model."""
    report = diagnose(model, seed=seed, **vars(probe))
    return Health(report.verdict, report.badness, chosen)
