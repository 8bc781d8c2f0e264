"""The conformance suite of checks: silent on sound models, sure on the one they are for, and the same every time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from initium.diagnose.checks.check_contract import Check, findings_of, verify
from initium.diagnose.finding import Finding
from initium.diagnose.measures import Measures
from initium.plan.records.rules import Rule
from initium.plan.shortcuts import init_
from initium.random.distributions import Normal
from initium.random.fill import fill_
from initium.random.key import key_for
from initium.record import record

Case = tuple[nn.Module, Tensor]
"""A model and inputs for it."""


def check_health_check(check: Check, *, ill: Callable[[], Case]) -> None:
    """Every requirement on one check.

    Args:
        check: the function of `Measures`.
        ill: makes a model that the check is for, and inputs.

    Raises:
        AssertionError: what does not hold.
        ContractError: what it yields is no finding.

    Example:
        >>> import torch
        >>> from initium.diagnose.checks.units import check_units
        >>> def ill():
        ...     net = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))
        ...     _ = torch.nn.init.constant_(net[0].bias, -100.0)
        ...     return net, torch.randn(64, 8)
        >>> check_health_check(check_units, ill=ill)
    """
    verify([check])
    for model, inputs in sound_cases():
        alarms = [str(one) for one in found(check, model, inputs) if one.severity != "info"]
        assert not alarms, f"an alarm on a sound {type(model).__name__}: {alarms[0]}"
    model, inputs = ill()
    first, again = found(check, model, inputs), found(check, model, inputs)
    assert first, "nothing found in the model that it is for"
    assert first == again, "two looks at one model find different things"
    for one in first:
        _check_places(one, model)


def found(check: Check, model: nn.Module, inputs: Tensor) -> list[Finding]:
    """What the check finds in one run of a model; torch's global generator is not touched."""
    measures = Measures(record(model, inputs))
    before = torch.random.get_rng_state()
    findings = findings_of(check, measures)
    assert torch.equal(before, torch.random.get_rng_state()), "it draws from torch's global generator"
    return findings


def sound_cases() -> list[Case]:
    """Models of three kinds, started by the policy `auto`."""
    cases = [
        (nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)), (64, 16)),
        (
            nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                nn.Flatten(), nn.Linear(16, 8),
            ),
            (32, 3, 12, 12),
        ),
        (nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True), (8, 12, 32)),
    ]  # fmt: skip
    made = []
    for model, shape in cases:
        inputs = fill_(torch.empty(shape), Normal(0.0, 1.0), key_for(0, f"inputs {shape}"))
        init_(model, inputs)
        made.append((model, inputs))
    return made


def _check_places(one: Finding, model: nn.Module) -> None:
    """Raise unless a finding names what is in the model, and its rule is one."""
    known = {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_modules()}
    known |= {name for name, _ in model.named_buffers()}
    strange = [name for name in one.where if name not in known]
    assert not strange, (
        f"{one.code} names {strange[0]!r}, which is neither a parameter, a buffer nor a module"
    )
    if one.rule is not None:
        Rule(where=one.rule["where"], method=one.rule["method"], **one.rule["params"])
