"""The vocabulary, and how lines are read."""

from __future__ import annotations

import pytest

from initium.errors import UnknownNameError, UsageError
from initium.plan.recipes.recipe import Line, Measured, Recipe, start
from initium.plan.recipes.recipe_catalogue import RECIPES, find_recipe
from initium.plan.recipes.vocabulary import SEEN, holds


def test_words_not_and_either():
    words = frozenset({"matrix", "conv", "final"})
    assert holds("matrix conv|linear !in_region", words)
    assert not holds("matrix linear", words)
    assert not holds("matrix !final", words)


def test_a_line_is_checked_when_it_is_written():
    with pytest.raises(UnknownNameError, match="did you mean in_region"):
        Line("conv !in_regoin", start("zeros"))
    with pytest.raises(UnknownNameError, match="method"):
        start("zeroes_everywhere")
    with pytest.raises(UnknownNameError, match="parameter of gpt2"):
        start("gpt2", num_layer=Measured("layers"))
    with pytest.raises(UsageError, match="std"):
        start("normal", std="wide")
    with pytest.raises(UsageError, match="no lines"):
        Recipe("empty", "general", "", "", ())


def test_every_word_is_used_and_every_name_is_found():
    text = " ".join(line.where for one in RECIPES for line in (*one.lines, *one.needs))
    assert {word for word in SEEN if word not in text} == set()
    assert all(find_recipe(f"recipe:{one.name}") is one for one in RECIPES)
    assert len({one.name for one in RECIPES}) == len(RECIPES)
