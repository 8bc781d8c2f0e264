"""Every recipe gives what its reference gives: constants exactly, the rest by mean, spread and distribution."""

from __future__ import annotations

import pytest
from benchmarks.recipe_cases import CASES
from benchmarks.recipes import compare

from initium.plan.recipes.recipe_catalogue import RECIPES

SLOW = (
    "seresnet",
    "dm_nfnet",
    "deeplab",
    "rcnn",
    "retinanet",
    "fcos",
    "efficientnet",
    "deformable",
    "detectron2",
)
Z = 5.0
"""Standard errors: of two hundred normal numbers one in ten thousand models has a larger one."""


def _param(case):
    slow = any(word in case.reference for word in SLOW)
    return pytest.param(case, marks=pytest.mark.slow if slow else (), id=f"{case.recipe}-{case.reference}")


@pytest.mark.parametrize("case", [_param(case) for case in CASES])
def test_a_wiped_model_starts_as_the_reference_does(case):
    found = compare(case)
    assert found.compared >= case.least
    assert found.constants <= (0.008 if case.recipe == "centernet" else 1e-6)  # the code writes -2.19
    assert found.mean < Z
    assert found.spread < Z, found.worst
    assert found.p > 1e-3
    assert [name for name in found.kept if not case.may_keep(name)] == []


def test_every_recipe_is_compared():
    assert {recipe.name for recipe in RECIPES} == {case.recipe for case in CASES}
