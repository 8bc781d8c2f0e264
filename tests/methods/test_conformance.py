"""Every method of the catalogue passes the public conformance suite on every kind of layer it claims."""

from __future__ import annotations

import math

import pytest

from initium.methods.catalogue import CATALOGUE
from initium.testing import check_method

# What a method needs to be told to serve all the kinds that it claims.
PARAMS = {
    "values": lambda layer: {"values": tuple(range(math.prod(layer.shape)))},
    "torch_default": {"fan_in": 30},
    "weight_norm_he": {"fan_in": 30, "fan_out": 40},
    "position_sincos": {"rows": 4, "cols": 5},
    "impulse_attention": {"rows": 3, "cols": 4, "num_heads": 4},
    "mimetic": {"num_heads": 4},
    "rnn_uniform": {"hidden": 16},
    "nguyen_widrow": {"num_inputs": 7},
    "class_prior": lambda layer: {"frequencies": tuple(range(1, 25))} if layer.shape == (24,) else {},
    "random_walk": {},
}
BUILT = [method for method in CATALOGUE if method.draw is not None]


@pytest.mark.parametrize("method", BUILT, ids=lambda m: m.name)
def test_method(method):
    check_method(method, params=PARAMS.get(method.name, {}))
