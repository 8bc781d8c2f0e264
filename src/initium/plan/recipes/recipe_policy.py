"""From a recipe and a record to assignments: the first line that holds for a parameter decides."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from initium.errors import LayerError, UsageError
from initium.methods.method import Value
from initium.plan.everywhere.protection import keep, protected
from initium.plan.policy import Decided, Need, Run
from initium.plan.recipes.recipe import Line, Recipe, Start
from initium.plan.recipes.recipe_catalogue import RECIPES
from initium.plan.recipes.tape_words import Traits
from initium.plan.recipes.vocabulary import holds
from initium.plan.records.assignment import Assignment
from initium.record.record import Record


@dataclass(frozen=True, slots=True)
class ByRecipe:
    """Starts a model as a part of the field starts such models."""

    recipe: Recipe
    needs: Need = "none"

    def decide(self, record: Record, run: Run) -> Decided:
        """One assignment for every parameter, and what the recipe keeps.

        Raises:
            UsageError: the model shows nothing of what the recipe is for.
        """
        recipe, traits = self.recipe, Traits(record)
        _check(recipe, traits)
        made = tuple(
            run.ruled.get(info.name) or _one(recipe, traits, info.name) for info in record.parameters
        )
        if not any(one.rule.startswith("recipe:") and not one.keeps for one in made):
            raise _nothing(recipe, traits, "no line of it holds for a parameter that may be changed")
        kept = Counter(one.rule for one in made if one.keeps and one.name not in run.ruled)
        left = ", ".join(f"{count} {rule}" for rule, count in sorted(kept.items()))
        return Decided(made, (f"recipe:{recipe.name} keeps {left}",) if left else ())


def _one(recipe: Recipe, traits: Traits, name: str) -> Assignment:
    part, info = traits.seen.parts[name], traits.seen.parameter(name)
    kept = protected(part, info)
    if kept is not None:
        return kept
    line, chosen = _line(recipe, traits, name)
    if line is None or chosen is None:
        return keep(part, info, "no line", "no line of the recipe covers it")
    params = _params(traits, name, chosen)
    if params is None:
        return keep(part, info, "no weight", "the recipe sets it by its weight, which is not known")
    layer = replace(part.layer, shape=info.shape)
    if line.whole:  # one matrix for fan_in and fan_out, as the source draws it, though it holds three
        layer = replace(layer, blocks=())
    one = Assignment(
        name, chosen.method, layer, part.role, f"recipe:{recipe.name}",
        f"the line for {line.where!r}" + ("" if chosen is line.start else ", bias"), params, 1.0, recipe.source,
    )  # fmt: skip
    try:
        one.draw()
    except LayerError as error:
        reason = f"{chosen.method} cannot serve it: {error.seen}; {error.remedy}"
        return keep(part, info, "cannot serve", reason)
    return one


def _line(recipe: Recipe, traits: Traits, name: str) -> tuple[Line | None, Start | None]:
    own = traits.words[name]
    owners = [traits.words[owner] for owner in traits.owners(name)]
    for line in recipe.lines:
        # A bias may be matched by a line of its own or by that of its weight: whichever line comes first.
        if holds(line.where, own):
            return line, line.start
        if line.bias is not None and any(holds(line.where, words) for words in owners):
            return line, line.bias
    return None, None


def _params(traits: Traits, name: str, chosen: Start) -> dict[str, Value] | None:
    taken: dict[str, Value] = dict(chosen.fixed)
    for key, one in chosen.measured.items():
        number = traits.measure(name, one.what)
        if number is None:
            return None
        taken[key] = number
    return taken


def _check(recipe: Recipe, traits: Traits) -> None:
    for need in recipe.needs:
        if not _shows(traits, need.where):
            raise _nothing(recipe, traits, f"it shows no {need.what}")


def _shows(traits: Traits, where: str) -> bool:
    return any(holds(where, words) for words in traits.words.values())


def _nothing(recipe: Recipe, traits: Traits, seen: str) -> UsageError:
    fitting = [
        one.name
        for one in RECIPES
        if one is not recipe and one.needs and all(_shows(traits, need.where) for need in one.needs)
    ]
    near = [f"recipe:{name}" for name in fitting[:6]] or ["recipe:torch_default"]
    return UsageError(
        f"recipe:{recipe.name} on this {traits.seen.model}: {seen}",
        expected=f"a model with {' and '.join(need.what for need in recipe.needs) or 'weights'}",
        remedy=f"recipes for what this model shows: {', '.join(near)}; or give your own rules",
    )
