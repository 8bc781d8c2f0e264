"""Every recipe is explained in both languages."""

from __future__ import annotations

import pytest

import initium
from initium.errors import UsageError
from initium.methods.explain import labels
from initium.plan.recipes.explain_recipe import _chinese, explain, summary
from initium.plan.recipes.recipe_catalogue import RECIPES
from initium.plan.recipes.vocabulary import SEEN

TRANSLATED = 28
"""Recipes that are told in Chinese too."""


CHINESE = [recipe for recipe in RECIPES if recipe.name in _chinese()["recipes"]]
"""Those that are translated; a contribution may be in English only."""


@pytest.mark.parametrize("recipe", CHINESE, ids=lambda recipe: recipe.name)
def test_english_and_chinese_tell_the_same_lines_and_as_many_notes(recipe):
    english, chinese = (explain(f"recipe:{recipe.name}", lang=lang) for lang in ("en", "zh"))
    assert recipe.source in english
    assert recipe.source in chinese
    assert all(line.where in text for line in recipe.lines for text in (english, chinese))
    assert all(note in english for note in recipe.notes)
    assert len(_chinese()["recipes"][recipe.name].get("notes", ())) == len(recipe.notes)
    assert any("\u4e00" <= sign <= "\u9fff" for sign in summary(recipe, "zh"))


def test_every_word_has_a_chinese_meaning_and_nothing_is_left_over():
    assert set(_chinese()["words"]) == set(SEEN)
    assert set(_chinese()["recipes"]) == {recipe.name for recipe in CHINESE}
    assert len(CHINESE) >= TRANSLATED


def test_a_recipe_in_english_only_says_so_and_is_told_in_english(monkeypatch):
    recipe = CHINESE[0]
    monkeypatch.delitem(_chinese()["recipes"], recipe.name)
    text = explain(f"recipe:{recipe.name}", lang="zh").splitlines()
    assert text[1:3] == [recipe.summary, labels("zh")["english_only"]]
    assert all(f"  {note}" in text for note in recipe.notes)
    assert labels("zh")["english_only"] not in explain(f"recipe:{CHINESE[1].name}", lang="zh")


def test_methods_are_explained_as_before():
    assert initium.explain("he_normal", layer="conv:3,64,7").startswith("he_normal  (variance_scaling)")


def test_wrong_questions():
    with pytest.raises(UsageError, match="did you mean timm_vit"):
        explain("recipe:tim_vit")
    with pytest.raises(UsageError, match="leave the layer out"):
        explain("recipe:rpn", layer="linear:3,4")
    with pytest.raises(UsageError, match="language"):
        explain("recipe:rpn", lang="fr")
