"""The suite of checks passes ours, and tells what is wrong with one of somebody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from initium.diagnose.checks.check_contract import Check
from initium.diagnose.finding import Finding
from initium.diagnose.measures import Measures
from initium.testing import check_health_check

FINDING = Finding("IN901", "warning", ("0.weight",), "seen", "expected", "why", "remedy")


def wide() -> tuple[nn.Module, Tensor]:
    net = nn.Linear(16, 8)
    nn.init.constant_(net.weight, 40.0)
    return nn.Sequential(net), torch.randn(32, 16)


def large_weights(measures: Measures) -> Iterator[Finding]:
    for info in measures.record.parameters:
        if info.std + abs(info.mean) > 20:
            yield Finding(
                "IN901", "warning", (info.name,), f"mean {info.mean:.3g}", "below 20", "slow", "start it anew"
            )


def always(measures: Measures) -> Iterator[Finding]:
    yield FINDING


def never(measures: Measures) -> Iterator[Finding]:
    yield from ()


def elsewhere(measures: Measures) -> Iterator[Finding]:
    for one in large_weights(measures):
        yield Finding(one.code, one.severity, ("no.such",), one.seen, one.expected, one.why, one.remedy)


def draws(measures: Measures) -> Iterator[Finding]:
    torch.rand(1)
    yield from large_weights(measures)


def test_a_sound_check_passes() -> None:
    check_health_check(large_weights, ill=wide)


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (always, "an alarm on a sound"),
        (never, "nothing found"),
        (elsewhere, "names 'no.such'"),
        (draws, "global generator"),
    ],
)
def test_a_faulty_check_is_told(check: Check, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_health_check(check, ill=wide)
