"""What nets are like, by what a run shows, and which are alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import initium
from initium.study.advice.net_traits import LIKE, Traits
from initium.study.tasks import open_task


def traits(name: str) -> Traits:
    task = open_task("classification")
    return Traits.of(initium.record(task.make_model(name), **vars(task.probe(8))))


@pytest.mark.parametrize(
    ("name", "chain", "normed", "skips", "conv", "attention", "activation"),
    [
        ("mlp8-relu", 8, False, False, False, False, "relu"),
        ("mlp4-sigmoid", 4, False, False, False, False, "bounded, with a mean"),
        ("cnn8-tanh", 8, False, False, True, False, "bounded, odd"),
        ("resnet6-nonorm", 3, False, True, True, False, "relu"),
        ("resnet6", 2, True, True, True, False, "relu"),
        ("vit1", 2, True, True, False, True, "smooth"),
    ],
)
def test_traits_are_those_of_the_run(
    name: str, chain: int, normed: bool, skips: bool, conv: bool, attention: bool, activation: str
) -> None:
    found = traits(name)
    seen = (found.normed, found.skips, found.conv, found.attention, found.activation)
    assert seen == (normed, skips, conv, attention, activation)
    assert found.chain == chain


def test_names_do_not_count() -> None:
    class BatchNorm2d(nn.Sequential):
        """A plain chain under another name."""

    inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    layers = [nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)]
    named, plain = BatchNorm2d(*layers), nn.Sequential(*layers)
    assert Traits.of(initium.record(named, inputs)) == Traits.of(initium.record(plain, inputs))


def test_distance_is_a_symmetric_measure_and_zero_for_the_same() -> None:
    some = [traits(name) for name in ("mlp8-relu", "mlp20-relu", "mlp8-sigmoid", "resnet6", "cnn8-relu")]
    for one in some:
        assert one.distance(one) == 0
        for other in some:
            assert one.distance(other) == other.distance(one)
    relu, deep, sigmoid, normed, conv = some
    assert relu.distance(deep) < LIKE
    assert relu.distance(conv) < LIKE
    assert relu.distance(normed) > LIKE
    assert relu.distance(sigmoid) > LIKE


def test_traits_are_read_as_they_were_written() -> None:
    found = traits("vit1")
    assert Traits.from_data(found.to_data()) == found
    for bad in ({"chain": -1}, {"normed": 1}, {"activation": None}, {"skips": "yes"}):
        with pytest.raises(ValueError, match="is"):
            Traits.from_data({**found.to_data(), **bad})
    with pytest.raises(KeyError):
        Traits.from_data({})
