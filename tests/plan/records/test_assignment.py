from __future__ import annotations

import pytest
import torch

from initium.errors import LayerError, UnknownNameError, UsageError
from initium.plan import Assignment
from initium.plan.records.assignment import check_assignments
from initium.random import Constant, Normal, fill_, key_for
from initium.theory.layer import Layer

LAYER = Layer("linear", (4, 8))


def made(method: str = "normal", **fields: object) -> Assignment:
    return Assignment("w", method, LAYER, "weight", "rule", "because", **fields)  # type: ignore[arg-type]


def test_the_draw_is_the_method_times_the_scale() -> None:
    assert made(params={"std": 0.5}).draw() == Normal(0.0, 0.5)
    assert made(params={"std": 0.5}, scale=3.0).draw() == Normal(0.0, 1.5)


def test_what_was_found_is_a_draw_too() -> None:
    assert made("keep").as_found() is None
    assert made("keep", found={"method": "constant", "value": 2.0}).as_found() == Constant(2.0)


def test_checks_of_all() -> None:
    check_assignments((made(),))
    with pytest.raises(UsageError, match="two assignments"):
        check_assignments((made(), made()))
    with pytest.raises(LayerError):
        check_assignments((made("dirac"),))
    with pytest.raises(UnknownNameError):
        check_assignments((made("no_such"),))
    with pytest.raises(UsageError):
        check_assignments((made("keep", found={"method": "normal", "std": -1.0}),))


def test_units_come_one_for_each_output() -> None:
    draw = made(params={"std": 0.5}, scale=2.0, units=(1.0, 2.0, 3.0, 4.0)).draw()
    key = key_for(0, "w")
    plain = fill_(torch.empty(4, 8), Normal(0.0, 1.0), key)
    assert torch.equal(fill_(torch.empty(4, 8), draw, key), plain * torch.arange(1.0, 5.0)[:, None])
    with pytest.raises(UsageError, match="3 factors for the 4 units"):
        made(units=(1.0, 2.0, 3.0)).draw()
