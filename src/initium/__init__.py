"""initium: starting weights for PyTorch networks.

Look (`diagnose`), decide (`plan`), do (`Plan.apply`, `init_`), prove (`compare`, `tune`). Names are loaded when they
are first used, so that `initium --help` does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from initium.diagnose import Finding as Finding
    from initium.diagnose import HealthReport as HealthReport
    from initium.diagnose import assert_healthy as assert_healthy
    from initium.diagnose import diagnose as diagnose
    from initium.errors import InitiumError as InitiumError
    from initium.errors import UnhealthyModelError as UnhealthyModelError
    from initium.methods.catalogue import methods as methods
    from initium.plan import Plan as Plan
    from initium.plan import Receipt as Receipt
    from initium.plan import Rule as Rule
    from initium.plan import fill_ as fill_
    from initium.plan import init_ as init_
    from initium.plan import repair_ as repair_
    from initium.plan.build import plan as plan
    from initium.plan.head_prior.class_prior import class_prior as class_prior
    from initium.plan.recipes.explain_recipe import explain as explain
    from initium.plan.recipes.recipe_catalogue import recipes as recipes
    from initium.plan.write.transfer import transfer_ as transfer_
    from initium.random.synthetic import synthetic as synthetic
    from initium.record import Record as Record
    from initium.record import record as record
    from initium.study.contest.compare import compare as compare
    from initium.study.contest.comparison import Comparison as Comparison
    from initium.study.search.tune import tune as tune
    from initium.study.search.tuning import Tuning as Tuning
    from initium.theory.gains import gain as gain

_HOMES = {
    "Finding": "diagnose",
    "HealthReport": "diagnose",
    "assert_healthy": "diagnose",
    "diagnose": "diagnose",
    "InitiumError": "errors",
    "UnhealthyModelError": "errors",
    "methods": "methods.catalogue",
    "explain": "plan.recipes.explain_recipe",
    "Plan": "plan",
    "Receipt": "plan",
    "Rule": "plan",
    "fill_": "plan",
    "init_": "plan",
    "plan": "plan",
    "class_prior": "plan.head_prior.class_prior",
    "transfer_": "plan.write.transfer",
    "recipes": "plan.recipes.recipe_catalogue",
    "repair_": "plan",
    "Record": "record",
    "record": "record",
    "compare": "study.contest.compare",
    "Comparison": "study.contest.comparison",
    "tune": "study.search.tune",
    "Tuning": "study.search.tuning",
    "gain": "theory.gains",
    "synthetic": "random.synthetic",
}

__version__ = version("initium")


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    # A package of this name is bound by its import, and can be called: see callable_module.
    return globals().setdefault(name, found)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
