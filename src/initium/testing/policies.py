"""The conformance suite of policies: every parameter decided, the user's rules first, and nothing left changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from initium.plan.build import plan
from initium.plan.plan import Plan
from initium.plan.policy import Policy
from initium.plan.policy_table import policy_of
from initium.plan.records.rules import Rule
from initium.random.distributions import Normal
from initium.random.fill import fill_
from initium.random.key import key_for

Model = Callable[[], nn.Module]


def plain_net() -> nn.Module:
    """Three linear layers and a normalization."""
    return nn.Sequential(
        nn.Linear(16, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 4)
    )


def tied_net() -> nn.Module:
    """Two layers that share a weight, the second one's bias frozen."""
    net = nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16), nn.Linear(16, 4))
    net[2].weight = net[0].weight
    net[2].bias.requires_grad = False
    return net


MODELS: tuple[Model, ...] = (plain_net, tied_net)
"""Small models that take 16 features."""


def check_policy(policy: Policy, *, models: Sequence[Model] = MODELS) -> None:
    """Every requirement on one policy.

    Args:
        policy: the object.
        models: make models that take inputs of 16 features.

    Raises:
        AssertionError: what does not hold.
        InitiumError: the policy breaks the contract; the message tells how.

    Example:
        >>> from initium.plan.policy_table import POLICIES
        >>> check_policy(POLICIES["he_normal"])
    """
    policy_of(policy)
    inputs = fill_(torch.empty(32, 16), Normal(0.0, 1.0), key_for(0, "inputs"))
    for make in models:
        model = _made(make)
        first = _unchanged(policy, model, inputs)
        again = _unchanged(policy, model, inputs)
        assert first.assignments == again.assignments, "two plans of one model differ"
        assert [one.name for one in first] == [name for name, _ in model.named_parameters()]
        assert all(one.reason for one in first), "an assignment without a reason"
        _check_rules(policy, model, inputs)
        receipt = first.apply(model)
        assert len(receipt.entries) == len(first)


def _made(make: Model) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return make()


def _unchanged(policy: Policy, model: nn.Module, inputs: Tensor) -> Plan:
    """The plan, once it is known that making it changed neither the model nor torch's generator."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    made = plan(model, inputs, policy=policy)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert not changed, f"{changed[0]} is not as it was before the plan"
    assert torch.equal(state, torch.random.get_rng_state()), "torch's global generator was drawn from"
    return made


def _check_rules(policy: Policy, model: nn.Module, inputs: Tensor) -> None:
    """A rule of the user decides, whatever the policy says of the parameter."""
    name = next(name for name, _ in model.named_parameters())
    made = plan(model, inputs, policy=policy, rules=[Rule(where=name, method="ones")])
    assert made[name].method == "ones", f"the user's rule for {name} gave way to {made[name].method}"
