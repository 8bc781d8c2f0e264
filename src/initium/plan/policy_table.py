"""Every policy, in one literal table, and the way from what the user passes to one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast, get_args

from initium.errors import ContractError, UnknownNameError, unknown_name
from initium.methods import catalogue
from initium.methods.method import Method, Value
from initium.methods.method_contract import method_of
from initium.plan.data_driven.data_policy import DATA_DRIVEN, DataDriven
from initium.plan.everywhere.method_policy import Everywhere
from initium.plan.everywhere.shipped_policy import Shipped
from initium.plan.policy import Need, Policy
from initium.plan.recipes.recipe_catalogue import PREFIX, RECIPES, find_recipe
from initium.plan.recipes.recipe_policy import ByRecipe
from initium.plan.records.assignment import KEEP
from initium.plan.trials.auto_policy import Auto
from initium.signatures import misfit

POLICIES: Mapping[str, Policy] = {
    "auto": Auto(),
    "shipped": Shipped(),
    KEEP: Shipped(),
    **{PREFIX + recipe.name: ByRecipe(recipe) for recipe in RECIPES},
    **{method.name: Everywhere(method) for method in catalogue.CATALOGUE},
    **{driven.method.name: driven for driven in DATA_DRIVEN},
}
"""Name -> policy; that of a method with parameters or of another's own is made when it is asked for."""

POLICY_CONTRACT = (
    f"a policy: `needs`, one of {', '.join(map(repr, get_args(Need)))}, and `decide(record, run)`"
)


def policy_of(given: str | Method | Policy) -> Policy:
    """The policy that a user passes: by name, as a method that every weight gets, or an object of the user's own.

    Raises:
        UnknownNameError: no such policy, method or parameter.
        UsageError: a parameter out of range.
        ContractError: an object that is no policy, or a method of the user's own that is none.
    """
    if isinstance(given, str):
        return _by_name(given)
    if isinstance(given, Method):
        return _by_method(method_of(given), {})
    return _checked(given)


def label_of(given: str | Method | Policy) -> str:
    """What a plan calls the policy."""
    if isinstance(given, str):
        return given
    return given.name if isinstance(given, Method) else type(given).__name__


def _by_name(name: str) -> Policy:
    if name.startswith(PREFIX):
        return POLICIES[PREFIX + find_recipe(name).name]
    if name in POLICIES:
        return POLICIES[name]
    try:
        method, params = catalogue.read_method(name)
    except UnknownNameError:
        known = {*POLICIES, *catalogue.names()}
        plain = [one for one in known if not one.startswith(PREFIX)]
        raise unknown_name("policy", name.partition(":")[0], plain) from None
    return _by_method(method, params)


def _by_method(method: Method, params: Mapping[str, Value]) -> Policy:
    """The method's own policy if it looks at data, else the method everywhere."""
    known = POLICIES.get(method.name)
    if isinstance(known, DataDriven) and known.method is method:
        return replace(known, params=params)
    return Everywhere(method, params)


def _checked(given: object) -> Policy:
    """The object, or an error that says what keeps it from being a policy, as far as that shows before it decides."""
    wrong = _breach(given)
    if wrong:
        remedy = 'see initium.plan.policy.Policy, or pass a name such as "auto", "shipped" or "he_normal"'
        raise ContractError(f"policy is {wrong}", expected=POLICY_CONTRACT, remedy=remedy)
    return cast(Policy, given)


def _breach(given: object) -> str:
    """What keeps an object from being a policy; "" if nothing does."""
    kind = type(given).__name__
    if isinstance(given, type):
        return f"the class {given.__name__}, not an object of it"
    decide = getattr(given, "decide", None)
    if not callable(decide):
        return f"a {kind} without a method `decide`"
    if getattr(given, "needs", None) not in get_args(Need):
        return f"a {kind} whose `needs` is {getattr(given, 'needs', 'missing')!r}"
    unfit = misfit(decide, None, None)
    return unfit and f"a {kind} whose `decide` cannot be called with a record and a run ({unfit})"
