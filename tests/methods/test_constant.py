from __future__ import annotations

import pytest
import torch
from tests.methods.made import made

from initium.errors import LayerError, UsageError
from initium.methods.catalogue import find
from initium.random.distributions import Constant, TruncatedNormal
from initium.theory.layer import Layer

LAYER = Layer("linear", (4, 4))


def test_absolute_bounds_become_standard_deviations():
    draw = find("truncated_normal")(
        LAYER, mean=1.0, std=0.5, low=0.0, high=2.0, bounds="absolute", corrected=False
    )
    assert draw == TruncatedNormal(1.0, 0.5, -2.0, 2.0, False)


def test_no_spread_is_a_constant():
    assert find("truncated_normal")(LAYER, mean=1.0, std=0.0) == Constant(1.0)


@pytest.mark.parametrize(
    ("name", "params"), [("uniform", {"low": 1.0, "high": 0.0}), ("truncated_normal", {"low": 3.0})]
)
def test_bounds_in_the_wrong_order(name, params):
    with pytest.raises(UsageError, match="swap the bounds"):
        find(name)(LAYER, **params)


def test_values_are_written_as_they_are():
    numbers = (1.0, -2.5, 0.1, 3e-8, 0.0, 7.0)
    assert torch.equal(
        made("values", Layer("linear", (2, 3)), values=numbers), torch.tensor(numbers).reshape(2, 3)
    )
    with pytest.raises(LayerError, match="each of its 16 elements, not 6"):
        find("values")(LAYER, values=numbers)
    with pytest.raises(UsageError, match="finite"):
        find("values").resolve(values=(1.0, float("nan")))
