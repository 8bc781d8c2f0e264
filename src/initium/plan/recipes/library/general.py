"""Recipes for any model: the framework's default, and a width-independent start."""

from __future__ import annotations

from initium.plan.recipes.library.shared_lines import NORM_LINES, TORCH_LINES, ZEROS
from initium.plan.recipes.recipe import Line, Need, Recipe, start

_ANY_WEIGHT = (Need("matrix", "weight that takes part in its run"),)

RECIPES = (
    Recipe(
        "torch_default",
        "general",
        "What torch.nn layers start with: U(-b, b), b = 1 / sqrt(fan_in), for weights and biases.",
        "torch.nn, reset_parameters",
        (*NORM_LINES, *TORCH_LINES),
        _ANY_WEIGHT,
        (
            (
                "nn.MultiheadAttention is an exception (Xavier for q, k, v together, zero biases); the tape sees "
                "a linear layer, which gets a linear layer's default."
            ),
        ),
    ),
    Recipe(
        "mup",
        "general",
        "Maximal update parametrization: hidden and input weights 1 / fan_in, the head 256 / fan_in^2.",
        "Yang et al. (2022), arXiv:2203.03466, table 3",
        (
            *NORM_LINES,
            Line("head|final matrix", start("mup", role="output"), ZEROS),
            Line("embedding|position matrix", start("normal", std=1.0)),
            Line("reads_input", start("mup", role="input"), ZEROS),
            Line("matrix", start("mup", role="hidden"), ZEROS),
            Line("bias", ZEROS),
        ),
        (Need("head|final", "head"),),
        (
            "The base width, where all is standard, is 256. For another give the head a rule with base_width.",
            (
                "Learning rates must follow the width too, and attention divide by d, not sqrt d; a recipe cannot set "
                "either."
            ),
            "Tables of embeddings have a fan_in that does not grow with width; any constant is right, 1 is taken.",
        ),
    ),
)
