from __future__ import annotations

import re

import pytest
import torch
from tests.methods.made import made
from torch import nn

import initium
from initium.errors import LayerError, UsageError
from initium.methods.catalogue import find
from initium.methods.explain import card
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


def test_the_card_of_zero_and_the_diagnosis_say_the_same():
    """A network of zeros, and one zero layer in a chain: the card names the codes that diagnose finds."""
    x = torch.randn(32, 8, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))
    for layer in net[::2]:
        initium.fill_(layer, "he_normal")
    net[2].weight.data = made("zeros", Layer("linear", (16, 16)))
    inside = {finding.code for finding in initium.diagnose(net, x).findings}
    for layer in net[::2]:
        initium.fill_(layer, "zeros")
    everywhere = {finding.code for finding in initium.diagnose(net, x).findings}
    assert everywhere == {"IN301"}
    for lang in ("en", "zh"):
        named = set(re.findall(r"IN\d\d\d", card(find("zeros"), lang=lang).weaknesses))
        assert named <= inside | everywhere
        assert named >= {"IN101", "IN301", "IN501"}
