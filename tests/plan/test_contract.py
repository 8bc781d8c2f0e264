from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.nets import mlp, noise
from tests.plan.nets import same, state_of, three_parts
from tests.plan.own_policies import Answering
from torch import nn

from initium import Rule, init_, plan
from initium.errors import ContractError
from initium.plan import Assignment

X = noise(16, 8)


def reshaped(made: list[Assignment]) -> list[Assignment]:
    return [replace(made[0], layer=replace(made[0].layer, shape=(3, 3))), *made[1:]]


def renamed(made: list[Assignment]) -> list[Assignment]:
    return [replace(made[0], name="elsewhere"), *made[1:]]


BROKEN: list[tuple[Callable[[list[Assignment]], Any], str]] = [
    (lambda made: made, "answered with a list"),
    (lambda made: None, "answered with a NoneType"),
    (lambda made: (made,), "answered with a tuple"),
    (lambda made: (dict.fromkeys("ab"), []), "`assignments`.*dict"),
    (lambda made: ([*made, "he_normal"], []), "`assignments` that is no list of Assignment"),
    (lambda made: (made, "a note"), "`notes`.*str"),
    (lambda made: (made, [3]), "`notes`"),
    (lambda made: (made, [], 3), "`chosen`.*int"),
    (lambda made: (made, [], "", 0.5), "`before`.*float"),
    (lambda made: (made[1:], []), "not for 0.weight"),
    (lambda made: ([*made, made[0]], []), "twice for 0.weight"),
    (lambda made: (renamed(made), []), "that the model does not have elsewhere; not for 0.weight"),
    (lambda made: (reshaped(made), []), r"'0.weight' the shape \(3, 3\)"),
    (lambda made: ([replace(made[0], method="nonsense"), *made[1:]], []), "unknown method"),
    (lambda made: ([replace(made[0], params={"std": -1.0}), *made[1:]], []), "std = -1.0"),
    (lambda made: ([made[0], replace(made[1], method="orthogonal", params={}), *made[2:]], []), "ortho"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "seen"), BROKEN)
def test_a_broken_answer_is_named_with_the_policy_and_nothing_is_written(
    answer: Callable[[list[Assignment]], Any], seen: str
) -> None:
    model = mlp(1, 8, nn.ReLU)
    before = state_of(model)
    with pytest.raises(ContractError, match=seen) as caught:
        init_(model, X, policy=Answering(answer))
    assert "policy Answering" in str(caught.value)
    assert three_parts(caught.value)
    assert same(before, state_of(model))


def test_any_order_will_do_and_what_a_rule_decides_may_be_left_out() -> None:
    model = mlp(1, 8, nn.ReLU)
    names = [name for name, _ in model.named_parameters()]
    made = plan(
        model,
        X,
        policy=Answering(lambda made: (made[:0:-1], ["backwards"])),
        rules=[Rule(where="0.weight", method="zeros")],
    )
    assert [one.name for one in made] == names
    assert made["0.weight"].rule == "rule"
    assert made.notes == ("backwards",)
