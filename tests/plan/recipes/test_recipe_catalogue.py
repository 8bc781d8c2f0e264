"""Every recipe is found by its name, and names what it needs and where it is from."""

from __future__ import annotations

import re

import pytest

from initium.errors import UnknownNameError
from initium.plan.recipes.recipe_catalogue import PREFIX, find_recipe, recipes

FAMILIES = {
    "general": 2, "convnets": 5, "vit": 4, "segmentation": 3, "detection": 9, "detr": 2, "language": 3, "depth": 3,
}  # fmt: skip


def test_the_families_and_their_sizes():
    found = recipes()
    assert {
        family: sum(one.family == family for one in found) for family in {one.family for one in found}
    } == FAMILIES
    assert len({one.name for one in found}) == len(found) == sum(FAMILIES.values())


def test_names_are_read_as_people_write_them():
    one = find_recipe("timm_resnet")
    for text in (f"{PREFIX}timm_resnet", "TIMM_ResNet", " timm-resnet ", f"{PREFIX}timm-resnet"):
        assert find_recipe(text) is one
    with pytest.raises(UnknownNameError, match="did you mean timm_resnet"):
        find_recipe("timm_resnett")
    with pytest.raises(UnknownNameError, match=r"recipe 'shipped'"):
        find_recipe("shipped")


@pytest.mark.parametrize("one", recipes(), ids=lambda one: one.name)
def test_a_recipe_tells_what_it_is(one):
    assert re.fullmatch(r"[a-z0-9_]+", one.name)
    assert one.summary.endswith(".")
    assert one.source
    assert one.needs
