"""A recipe in words, in English and Chinese; methods are explained by `initium.methods.explain`."""

from __future__ import annotations

import functools
import re
import tomllib
from importlib import resources
from typing import Any

from initium.errors import UsageError
from initium.methods.explain import explain as explain_method
from initium.methods.explain import labels
from initium.plan.recipes.recipe import Line, Measured, Recipe, Start
from initium.plan.recipes.recipe_catalogue import PREFIX, find_recipe
from initium.plan.recipes.vocabulary import SEEN
from initium.theory.layer import Layer


def explain(name: str, *, lang: str = "en", layer: Layer | str | None = None) -> str:
    """The card of a method, or the lines of a recipe, as text.

    Args:
        name: a method or one of its aliases, or "recipe:NAME".
        lang: "en" or "zh".
        layer: for a method, a layer or a text such as "conv:3,64,7" to work the formula out for.

    Raises:
        UnknownNameError: no such method, recipe or language.
        LayerError: the method cannot serve the layer.
        UsageError: a layer given for a recipe.

    Example:
        >>> print(explain("recipe:rpn").splitlines()[0])
        rpn  (recipe, detection)
    """
    if not name.startswith(PREFIX):
        return explain_method(name, lang=lang, layer=layer)
    recipe = find_recipe(name)
    if layer is not None:
        raise UsageError(
            f"a layer for {name}",
            expected="a method",
            remedy="leave the layer out: a recipe is for whole models",
        )
    return _text(recipe, labels(lang), lang)


def summary(recipe: Recipe, lang: str) -> str:
    """What the recipe does, in one line; in English where there is none in that language."""
    return recipe.summary if lang == "en" else str(_told(recipe).get("summary", recipe.summary))


def _text(recipe: Recipe, common: dict[str, str], lang: str) -> str:
    words = _chinese()["labels"] if lang == "zh" else _ENGLISH
    told = {"notes": recipe.notes} if lang == "en" else _told(recipe)
    notes = told.get("notes", () if told else recipe.notes)
    meanings = SEEN if lang == "en" else {**SEEN, **_chinese()["words"]}
    lines = [
        f"{recipe.name}  ({words['recipe']}, {recipe.family})",
        summary(recipe, lang),
        *([] if told else [common["english_only"]]),
        "",
        f"{words['lines']}:",
    ]
    lines += [f"  {_shown(line, words)}" for line in recipe.lines]
    used = sorted(
        {w.lstrip("!") for line in recipe.lines for w in re.split(r"[ |]+", line.where)} & SEEN.keys()
    )
    lines += ["", f"{words['words']}:", *(f"  {word}: {meanings[word]}" for word in used)] if used else []
    lines += ["", f"{words['notes']}:", *(f"  {note}" for note in notes)] if notes else []
    needs = ", ".join(need.where for need in recipe.needs)
    return "\n".join([*lines, "", f"{words['needs']}: {needs}", f"{common['source']}: {recipe.source}"])


def _told(recipe: Recipe) -> dict[str, Any]:
    """What is said of the recipe in Chinese; nothing if it is not translated."""
    found: dict[str, Any] = _chinese()["recipes"].get(recipe.name, {})
    return found


def _shown(line: Line, words: dict[str, str]) -> str:
    text = f"{line.where} -> {words['kept'] if line.start is None else _start(line.start)}"
    if line.whole:
        text += f", {words['whole']}"
    return text + (f"; {words['bias']} {_start(line.bias)}" if line.bias is not None else "")


def _start(start: Start) -> str:
    values = {
        key: value.what if isinstance(value, Measured) else value for key, value in start.params.items()
    }
    inside = ", ".join(f"{key}={value}" for key, value in values.items())
    return f"{start.method}({inside})" if inside else start.method


_ENGLISH = {
    "recipe": "recipe", "lines": "lines, the first that holds decides (! not, | either)", "words": "words",
    "notes": "notes", "needs": "the model must show", "kept": "kept", "whole": "q, k and v as one matrix",
    "bias": "its bias",
}  # fmt: skip


@functools.cache
def _chinese() -> dict[str, dict[str, Any]]:
    text = (resources.files("initium.plan.recipes") / "cards" / "zh.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
