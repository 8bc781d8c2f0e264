"""Every recipe, in one literal tuple, and the way to find one by name."""

from __future__ import annotations

from initium.errors import unknown_name
from initium.plan.recipes.library import convnets, depth, detectors, detr, general, language, segmenters, vit
from initium.plan.recipes.recipe import Recipe

PREFIX = "recipe:"

RECIPES: tuple[Recipe, ...] = (
    *general.RECIPES,
    *convnets.RECIPES,
    *vit.RECIPES,
    *segmenters.RECIPES,
    *detectors.RECIPES,
    *detr.RECIPES,
    *language.RECIPES,
    *depth.RECIPES,
)

_RECIPE_BY_NAME = {recipe.name: recipe for recipe in RECIPES}


def recipes() -> tuple[Recipe, ...]:
    """Every recipe; `plan(model, inputs, policy="recipe:NAME")` follows one.

    Example:
        >>> [recipe.name for recipe in recipes() if recipe.family == "segmentation"]
        ['deeplab', 'unet', 'nnunet']
    """
    return RECIPES


def find_recipe(name: str) -> Recipe:
    """The recipe of that name, with or without `recipe:` in front.

    Raises:
        UnknownNameError: no such recipe; the nearest names are in the message.
    """
    plain = name.removeprefix(PREFIX).strip().lower().replace("-", "_")
    if plain not in _RECIPE_BY_NAME:
        raise unknown_name("recipe", plain, _RECIPE_BY_NAME)
    return _RECIPE_BY_NAME[plain]
