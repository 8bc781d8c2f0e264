"""Recipes of vision transformers."""

from __future__ import annotations

from initium.plan.recipes.library.shared_lines import (
    CUT_AT_TWO,
    NORM_LINES,
    TORCH_LINES,
    XAVIER_UNIFORM,
    ZEROS,
)
from initium.plan.recipes.recipe import Line, Need, Recipe, start

_TABLE_LINES = (Line("token", start("normal", std=1e-6)), Line("position", CUT_AT_TWO))
_NEEDS = (Need("reads_attention", "weight that reads what attention has mixed"),)
_TABLE_NOTE = (
    "Tokens N(0, 1e-12) and positions cut at -2 and 2 are timm's for all its modes; layer scales are kept."
)


def _jax(head_bias: str) -> tuple[Line, ...]:
    # The head is linear, too, and the first line that holds decides: special lines come before general ones.
    return (
        *NORM_LINES,
        *_TABLE_LINES,
        Line("head linear", start("vit_jax", part="head"), start("vit_jax", part=head_bias)),
        Line("linear feedforward", XAVIER_UNIFORM, start("vit_jax", part="mlp_bias")),
        Line("linear", XAVIER_UNIFORM, ZEROS, whole=True),
        Line("conv", start("lecun_normal", truncated=True, fans="torch"), ZEROS),
    )


_PACKED = (
    "timm draws the packed q, k and v as one (3 d, d) matrix, with half the variance that JAX's three separate ones "
    "have. For JAX's own: Rule(where='attention', method='xavier_uniform')."
)

RECIPES = (
    Recipe(
        "timm_vit",
        "vit",
        "Linear weights N(0, 0.02^2), biases 0, the patch convolution torch's default.",
        "timm, vision_transformer.py, weight_init=''; Dosovitskiy+ 2020, 2010.11929",
        (*NORM_LINES, *_TABLE_LINES, Line("linear", CUT_AT_TWO, ZEROS), *TORCH_LINES),
        _NEEDS,
        (_TABLE_NOTE, "The paper's own start is that of vit_jax."),
    ),
    Recipe(
        "vit_jax",
        "vit",
        "Xavier uniform, MLP biases N(0, 1e-12), patches LeCun, head 0.",
        "timm, vision_transformer.py, weight_init='jax'; Dosovitskiy+ 2020, 2010.11929",
        _jax("bias"),
        _NEEDS,
        (_PACKED, _TABLE_NOTE),
    ),
    Recipe(
        "vit_jax_nlhb",
        "vit",
        "As vit_jax with the head's bias at -ln C, for sigmoid losses.",
        "timm, vision_transformer.py, weight_init='jax_nlhb'",
        _jax("head_bias_nlhb"),
        (*_NEEDS, Need("head linear", "linear head")),
        (_PACKED, _TABLE_NOTE),
    ),
    Recipe(
        "vit_moco",
        "vit",
        "Xavier uniform with q, k and v each on its own, biases 0, the patch convolution torch's default.",
        "timm, vision_transformer.py, weight_init='moco'; Chen+ 2021, 2104.02057",
        (
            *NORM_LINES,
            *_TABLE_LINES,
            Line("linear", XAVIER_UNIFORM, ZEROS),
            *TORCH_LINES,
        ),
        _NEEDS,
        ("MoCo v3 also freezes the patch convolution, which a start cannot do.", _TABLE_NOTE),
    ),
)
