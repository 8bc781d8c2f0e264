from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import initium
from initium import Rule
from initium.errors import ContractError, LayerError, UnknownNameError
from initium.methods.catalogue import CATALOGUE, find, lent
from initium.methods.method import Method, Paper, Param
from initium.methods.method_contract import checked, method_of
from initium.random.distributions import Draw, Normal
from initium.theory.fans import fans
from initium.theory.layer import Layer


def half(layer: Layer, *, share: float) -> Draw:
    return Normal(0.0, (2 * share / fans(layer).fan_in) ** 0.5)


MINE = Method(
    "half_he",
    "mine",
    "He with a share of the variance.",
    (Param("share", 0.5, "of He's variance", low=0.0, high=1.0),),
    ("linear", "conv"),
    Paper("Nobody", 2026, "Half of He"),
    half,
)
BROKEN: dict[str, tuple[object, str]] = {
    "a function": (half, "it is a function"),
    "a name that is no identifier": (replace(MINE, name="half he"), "no identifier"),
    "a name of the catalogue": (replace(MINE, name="he_normal"), "is taken"),
    "an alias of the catalogue": (replace(MINE, name="kaiming_normal"), "is taken"),
    "a word of plans": (replace(MINE, name="keep"), "is taken"),
    "no summary": (replace(MINE, summary=""), "no summary"),
    "a text as paper": (replace(MINE, paper="Nobody 2026"), "paper is a str"),  # type: ignore[arg-type]
    "no layers": (replace(MINE, layers=()), "kinds of layer are ()"),
    "unknown layers": (replace(MINE, layers=("dense",)), "dense"),  # type: ignore[arg-type]
    "a default out of range": (replace(MINE, params=(replace(MINE.params[0], default=2.0),)), "share = 2.0"),
    "params that are names": (replace(MINE, params=("share",)), "parameters are"),  # type: ignore[arg-type]
    "no function": (replace(MINE, draw=None), "draw is None"),
    "a function of other parameters": (
        replace(MINE, draw=lambda layer, *, gain: half(layer, share=gain)),
        "gain",
    ),
    "a function that raises": (replace(MINE, draw=lambda layer, *, share: 1 / 0), "ZeroDivisionError"),
    "a function that returns a tensor": (
        replace(MINE, draw=lambda layer, *, share: torch.zeros(2)),
        "a Tensor",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_method_is_named_before_anything_is_drawn(kind: str) -> None:
    method, told = BROKEN[kind]
    weight = torch.full((6, 4), 7.0)
    refusals: tuple[Any, ...] = (
        lambda: initium.fill_(weight, method),  # type: ignore[arg-type]
        lambda: Rule(where="*", method=method),  # type: ignore[arg-type]
        lambda: initium.Plan.from_json("{}", methods=(method,)),  # type: ignore[arg-type]
    )
    for refuse in refusals:
        with pytest.raises(ContractError) as error:
            refuse()
        assert told in error.value.seen
        assert "initium.methods.method.Method" in error.value.expected
        assert "check_method" in error.value.remedy
    assert bool((weight == 7.0).all())


def test_a_sound_method_passes_and_may_refuse_layers_in_three_parts() -> None:
    def only_square(layer: Layer, *, share: float) -> Draw:
        if layer.num_in != layer.num_out:
            raise LayerError("no square", expected="a square layer", remedy="use he_normal")
        return half(layer, share=share)

    assert checked(MINE) is MINE
    assert checked(replace(MINE, draw=only_square)).name == "half_he"
    assert method_of(MINE) is MINE


def test_the_catalogue_is_trusted_by_identity() -> None:
    assert all(checked(method) is method for method in CATALOGUE)
    with pytest.raises(ContractError, match="is taken"):
        checked(replace(find("he_normal"), summary="another"))


def test_a_lent_method_is_known_within_the_with_only() -> None:
    with lent([MINE]):
        assert find("half_he") is MINE
        with pytest.raises(UnknownNameError, match="half_he"):
            find("half_hee")
    with pytest.raises(UnknownNameError):
        find("half_he")


def test_a_method_object_fills_as_its_equation_says() -> None:
    """N(0, 2 share / fan_in): the variance of 256 x 400 draws within five standard errors."""
    weight = initium.fill_(torch.empty(256, 400), MINE, share=0.25)
    assert abs(float(weight.var()) / (2 * 0.25 / 400) - 1) < 5 * (2 / weight.numel()) ** 0.5
    layer = initium.fill_(torch.nn.Linear(400, 256), MINE, seed=3)
    assert abs(float(layer.weight.detach().var()) / (2 * 0.5 / 400) - 1) < 5 * (2 / weight.numel()) ** 0.5
    assert not layer.bias.any()
    assert torch.equal(
        initium.fill_(torch.empty(6, 4), find("he_normal")), initium.fill_(torch.empty(6, 4), "he_normal")
    )
