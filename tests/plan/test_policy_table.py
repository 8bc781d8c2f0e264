from __future__ import annotations

from typing import Any, get_args

import pytest
from tests.nets import mlp, noise
from tests.plan.nets import same, state_of, three_parts
from tests.plan.own_policies import Narrow
from torch import nn

from initium import init_
from initium.errors import ContractError, UnknownNameError, UsageError
from initium.methods.catalogue import CATALOGUE, find
from initium.plan.data_driven.data_policy import DataDriven
from initium.plan.everywhere.method_policy import Everywhere
from initium.plan.policy import Need
from initium.plan.policy_table import POLICIES, label_of, policy_of
from initium.plan.recipes.recipe_catalogue import RECIPES
from initium.plan.recipes.recipe_policy import ByRecipe


def test_the_table_has_auto_shipped_every_method_and_every_recipe() -> None:
    assert set(POLICIES) == (
        {"auto", "shipped", "keep"}
        | {method.name for method in CATALOGUE}
        | {f"recipe:{recipe.name}" for recipe in RECIPES}
    )
    assert POLICIES["keep"] == POLICIES["shipped"]


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_of_the_table_keeps_the_protocol(name: str) -> None:
    policy = policy_of(name)
    assert policy is policy_of(policy)
    assert policy.needs in get_args(Need)


def test_what_each_policy_needs() -> None:
    needs = {name: policy.needs for name, policy in POLICIES.items() if policy.needs != "none"}
    assert needs == {"auto": "held_out"} | dict.fromkeys(
        ("lsuv", "kraehenbuehl", "weight_norm_data", "metainit", "gradinit", "nio"), "data"
    )


def test_parameters_and_aliases_are_read_from_the_name() -> None:
    by_alias, with_params = policy_of("gradcosine"), policy_of("lsuv:target=2")
    assert isinstance(by_alias, DataDriven)
    assert by_alias.method is find("nio")
    assert isinstance(with_params, DataDriven)
    assert (with_params.method, with_params.params) == (find("lsuv"), {"target": 2.0})
    everywhere = policy_of("kaiming_normal_:mode=fan_out")
    assert isinstance(everywhere, Everywhere)
    assert (everywhere.method, everywhere.params) == (find("he_normal"), {"mode": "fan_out"})
    recipe = policy_of("recipe:timm-vit")
    assert isinstance(recipe, ByRecipe)
    assert recipe.recipe.name == "timm_vit"


def test_names_in_plans() -> None:
    assert label_of("he_normal:mode=fan_out") == "he_normal:mode=fan_out"
    assert label_of(find("kaiming_normal")) == "he_normal"
    assert label_of(Narrow()) == "Narrow"


@pytest.mark.parametrize(
    ("name", "near"), [("hee_normal", "he_normal"), ("auto_", "auto"), ("recipe:timm_vitt", "timm_vit")]
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownNameError, match=near) as caught:
        policy_of(name)
    assert three_parts(caught.value)


@pytest.mark.parametrize("name", ["he_normal:mod=fan_in", "he_normal:mode=fan", "lsuv:target=-1"])
def test_wrong_parameters_are_named_before_anything_runs(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        policy_of(name)
    assert three_parts(caught.value)


class NoDecide:
    needs = "none"


class NoNeeds:
    def decide(self, record: Any, run: Any) -> None: ...


class OddNeeds(NoNeeds):
    needs = "everything"


class TooFew:
    needs = "none"

    def decide(self, record: Any) -> None: ...


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (None, "NoneType"),
        (3, "int"),
        (Narrow, "class Narrow"),
        (NoDecide(), "without a method `decide`"),
        (NoNeeds(), "`needs` is 'missing'"),
        (OddNeeds(), "`needs` is 'everything'"),
        (TooFew(), "cannot be called with a record and a run"),
    ],
)
def test_an_object_that_is_no_policy_is_named_before_the_model_runs(given: object, seen: str) -> None:
    def forbidden(model: nn.Module, inputs: object) -> None:
        raise AssertionError("the model ran")

    model = mlp(1, 8, nn.ReLU)
    before = state_of(model)
    with pytest.raises(ContractError, match=seen) as caught:
        init_(model, noise(8, 8), policy=given, forward=forbidden)  # type: ignore[arg-type]
    assert three_parts(caught.value)
    assert "`decide(record, run)`" in str(caught.value)
    assert same(before, state_of(model))
