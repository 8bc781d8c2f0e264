"""The cards of methods that need data: published numbers as defaults, and where they are served."""

from __future__ import annotations

import pytest
import torch

import initium
from initium.errors import UsageError
from initium.methods.catalogue import find

PUBLISHED = {
    "lsuv": {"target": 1.0, "tolerance": 0.1, "max_tries": 10},  # Mishkin+ 2015, algorithm 1 and its code
    "metainit": {"lr": 0.1, "momentum": 0.5, "steps": 50, "epsilon": 1e-5},  # Dauphin+ 2019, appendix
    "gradinit": {
        "lr": 1e-3,
        "steps": 50,
        "eta": 0.1,
        "gamma": 1.0,
        "norm": 2,
        "min_scale": 0.01,
    },  # Zhu+ 2021
    "nio": {"lr": 1e-3, "steps": 50, "gamma": 1.0, "norm": 2, "groups": 2},
    "kraehenbuehl": {"filters": "pca", "balance": True},
    "weight_norm_data": {},
    "autoinit": {},
}
NEEDS = {"lsuv": "data", "kraehenbuehl": "data", "weight_norm_data": "data", "autoinit": "graph"}
TOO_LOW = [("lsuv", "target", 0.0), ("lsuv", "max_tries", 0), ("nio", "groups", 1), ("metainit", "momentum", 1.5),
           ("gradinit", "norm", 0), ("gradinit", "steps", 0), ("metainit", "epsilon", -1e-9)]  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_defaults_are_the_published_ones(name):
    method = find(name)
    assert method.family == "data_driven"
    assert method.resolve() == PUBLISHED[name]
    assert method.needs == NEEDS.get(name, "gradient")


def test_the_family_is_these():
    assert {one.name for one in initium.methods() if one.family == "data_driven"} == {*PUBLISHED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_single_layer_is_refused_with_the_way_that_works(name):
    layer = torch.nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    with pytest.raises(UsageError, match=f'policy="{name}"'):
        initium.fill_(layer.weight, name)
    assert torch.equal(layer.weight, before)
    if find(name).instead:
        assert find(find(name).instead).draw is not None


@pytest.mark.parametrize(("name", "key", "value"), TOO_LOW)
def test_numbers_out_of_range_are_refused(name, key, value):
    with pytest.raises(UsageError, match=key):
        find(name).resolve(**{key: value})


@pytest.mark.parametrize(
    ("alias", "name"),
    [("actnorm", "weight_norm_data"), ("wn_data", "weight_norm_data"), ("magic_init", "kraehenbuehl"),
     ("data_dependent", "kraehenbuehl"), ("gradcosine", "nio")],
)  # fmt: skip
def test_other_names(alias, name):
    assert find(alias).name == name
