"""Methods that are cards only say why, and name what can be used."""

from __future__ import annotations

import pytest
import torch

import initium
from initium.errors import UsageError
from initium.methods.catalogue import find

PAPERS = {
    "dks": "2110.01765",
    "net2net": "1511.05641",
    "ghn": "2303.04143",
    "unit_scaling": "2303.11257",
    "ntk": "1806.07572",
}


def test_these_are_not_built_and_all_others_are():
    assert {one.name: one.paper.arxiv for one in initium.methods() if one.left_out} == PAPERS


@pytest.mark.parametrize("name", PAPERS)
def test_asked_for_they_say_why_and_change_nothing(name):
    layer = torch.nn.Linear(4, 3)
    before = layer.weight.detach().clone()
    with pytest.raises(UsageError, match="not built") as told:
        initium.fill_(layer.weight, name)
    assert torch.equal(layer.weight, before)
    assert "initium.plan(" not in told.value.remedy  # no policy of that name works either
    nearest = find(name).instead.partition(",")[0] or "he_normal"
    assert nearest in told.value.remedy
    assert find(nearest).left_out == ""


@pytest.mark.parametrize("name", PAPERS)
def test_no_plan_follows_them(name):
    with pytest.raises(UsageError):
        initium.plan(torch.nn.Linear(4, 3), torch.randn(8, 4), policy=name)


def test_the_replacement_of_ntk_is_the_same_function_at_the_start():
    """N(0, 1) weights and outputs over sqrt(n), against N(0, 1 / n): one spread, within 5 standard errors."""
    weight = initium.fill_(torch.empty(256, 400), find("ntk").instead.partition(",")[0])
    ours, theirs = weight.std().item(), (torch.randn(256, 400) / 400**0.5).std().item()
    assert ours / theirs == pytest.approx(1, abs=5 * (1 / (256 * 400)) ** 0.5)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("tat", "dks"), ("bert2bert", "net2net"), ("ligo", "net2net"), ("ghn3", "ghn"), ("umup", "unit_scaling"),
     ("mean_field_parametrization", "ntk")],
)  # fmt: skip
def test_other_names(alias, name):
    assert find(alias).name == name
