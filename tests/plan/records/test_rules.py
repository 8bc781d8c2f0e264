from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.nets import noise
from tests.plan.nets import Small, pictures, refused, same, state_of, three_parts
from torch import nn

from initium import Rule, plan
from initium.errors import LayerError, UnknownNameError, UsageError, UsageTypeError
from initium.plan.records.rules import ROLES


def by(*rules: Rule) -> dict[str, str]:
    made = plan(Small(), pictures(), policy="shipped", rules=rules)
    return {one.name: one.method for one in made if one.rule == "rule"}


def test_a_glob_is_for_names() -> None:
    assert by(Rule(where="7.*", method="zeros")) == {"7.weight": "zeros", "7.bias": "zeros"}
    assert by(Rule(where="[03].weight", method="ones")) == {"0.weight": "ones", "3.weight": "ones"}
    assert by(Rule(where="7.weight", method="ones")) == {"7.weight": "ones"}


def test_a_role_is_for_parts() -> None:
    assert by(Rule(where="norm_gain", method="zeros")) == {"1.weight": "zeros"}
    assert by(Rule(where="head", method="zeros")) == {"7.weight": "zeros"}


def test_a_module_type_is_for_its_weights() -> None:
    assert by(Rule(where=nn.Conv2d, method="he_normal")) == {"0.weight": "he_normal", "3.weight": "he_normal"}


def test_a_module_type_kept_is_kept_whole() -> None:
    made = plan(Small(), pictures(), policy="he_normal", rules=[Rule(where=nn.Linear, method="keep")])
    assert {one.name for one in made if one.rule == "rule"} == {"7.weight", "7.bias"}
    assert made["7.weight"].keeps


def test_a_predicate_looks_at_the_part() -> None:
    assert by(Rule(where=lambda part: part.layer.kind == "conv", method="dirac")) == {
        "0.weight": "dirac",
        "3.weight": "dirac",
    }


def test_the_first_match_wins() -> None:
    found = by(Rule(where="7.weight", method="ones"), Rule(where="7.*", method="zeros"))
    assert found == {"7.weight": "ones", "7.bias": "zeros"}
    found = by(Rule(where="*", method="zeros"), Rule(where="7.weight", method="ones"))
    assert set(found.values()) == {"zeros"}


def test_rules_come_before_every_policy() -> None:
    for policy in ("auto", "shipped", "xavier_normal"):
        made = plan(Small(), pictures(), policy=policy, rules=[Rule(where="1.weight", method="zeros")])
        assert made["1.weight"].method == "zeros"
        assert made["1.weight"].rule == "rule"


def test_parameters_of_the_method_reach_the_draw() -> None:
    model = Small()
    rules = [Rule(where="*.bias", method="constant", value=0.25)]
    plan(model, pictures(), policy="shipped", rules=rules).apply(model)
    assert torch.equal(model[7].bias.detach(), torch.full((4,), 0.25))


@pytest.mark.parametrize("where", ["nothing.*", "offset", nn.LSTM, lambda part: False])
def test_a_rule_that_matches_nothing(where: object) -> None:
    model = Small()
    before = state_of(model)
    with pytest.raises(UsageError, match="matches none of the 7 parameters") as caught:
        plan(model, pictures(), rules=[Rule(where=where, method="zeros")])  # type: ignore[arg-type]
    assert three_parts(caught.value)
    assert "0.weight" in caught.value.expected
    assert same(before, state_of(model))


def test_an_unknown_method_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean .*he_normal"):
        Rule(where="*", method="he_norml")


def test_an_unknown_parameter_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean value"):
        Rule(where="*", method="constant", valeu=1.0)


def test_a_value_out_of_range() -> None:
    with pytest.raises(UsageError, match="std") as caught:
        Rule(where="*", method="normal", std=-1.0)
    assert three_parts(caught.value)


@pytest.mark.parametrize("where", [None, 3, ["0.weight"]])
def test_where_of_the_wrong_type(where: object) -> None:
    with pytest.raises(UsageTypeError) as caught:
        Rule(where=where, method="zeros")  # type: ignore[arg-type]
    assert three_parts(caught.value)


def test_something_that_is_no_rule() -> None:
    with pytest.raises(UsageTypeError, match="rules holds a tuple"):
        plan(Small(), pictures(), rules=[("*", "zeros")])  # type: ignore[list-item]


def test_a_method_that_cannot_serve_the_parameter() -> None:
    with pytest.raises(LayerError, match=r"Rule.*0\.weight") as caught:
        plan(nn.Sequential(nn.Linear(8, 4)), noise(4, 8), rules=[Rule(where="0.weight", method="dirac")])
    assert three_parts(caught.value)


def test_aliases_become_the_name_in_the_catalogue() -> None:
    assert Rule(where="*", method="kaiming_normal").method == Rule(where="*", method="he_normal").method


def test_it_prints_as_it_is_written() -> None:
    rule = Rule(where="*.bias", method="constant", value=0.5)
    assert repr(rule) == "Rule(where='*.bias', method='constant', value=0.5)"
    assert eval(repr(rule), {"Rule": Rule}) == rule
    assert repr(Rule(where=nn.Conv2d, method="zeros")) == "Rule(where=Conv2d, method='zeros')"


@given(st.text(max_size=12))
def test_any_text_as_where_matches_or_is_refused(where: str) -> None:
    rule = Rule(where=where, method="keep")
    if not refused(lambda: plan(SMALL_LINEAR, SMALL_INPUT, policy="shipped", rules=[rule])):
        names = dict(SMALL_LINEAR.named_parameters())
        assert where in ROLES or where in names or any(sign in where for sign in "*?[")


SMALL_LINEAR, SMALL_INPUT = nn.Linear(3, 2), noise(4, 3)
