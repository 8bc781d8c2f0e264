"""Recipes for deep residual models without norms, or with norms after the sum."""

from __future__ import annotations

from initium.plan.recipes.library.convnets import FAN_OUT
from initium.plan.recipes.library.language import NEEDS
from initium.plan.recipes.library.shared_lines import NORM_LINES, NUM_LAYERS, ZEROS
from initium.plan.recipes.recipe import Line, Measured, Need, Recipe, start

RECIPES = (
    Recipe(
        "fixup",
        "depth",
        "Branches by He over fan_out times L^(-1 / (2 m - 2)), their last weight and the classifier 0.",
        "hongyi-zhang/Fixup; Zhang+ 2019, 1901.09321",
        (
            Line("head|final matrix", start("zero_head"), ZEROS),
            Line("writes", start("fixup", last=True, fans="torch"), ZEROS),
            Line(
                "on_branch matrix",
                start(
                    "fixup",
                    num_blocks=Measured("branches"),
                    branch_layers=Measured("branch_weights"),
                    fans="torch",
                ),
                ZEROS,
            ),
            Line("scale scalar", start("ones")),
            Line("matrix", FAN_OUT, ZEROS),
            Line("bias|norm_shift", ZEROS),
        ),
        (Need("writes", "residual branch"),),
        (
            "L counts the additions on the stream, m the weights of the branch. The fan is fan_out, as in the code.",
            "The model must have the scalar biases and multipliers of the paper; a recipe cannot add them.",
        ),
    ),
    Recipe(
        "deepnorm",
        "depth",
        "Values, outputs and feed-forward Xavier with gain (8 N)^(-1/4), queries and keys gain 1.",
        "torchscale; Wang+ 2022, 2203.00555, figure 2",
        (
            *NORM_LINES,
            Line("embedding|position", start("embedding", rule="width")),
            Line("query|key", start("deepnorm", part="other"), ZEROS),
            Line("on_branch matrix", start("deepnorm", part="branch", num_layers=NUM_LAYERS), ZEROS),
            Line("bias", ZEROS),
        ),
        NEEDS,
        (
            "The skip must be multiplied by (2 N)^(1/4) in the forward pass; a recipe cannot do that.",
            "For one stack of N layers. torchscale's constant for encoder-decoders is the inverse of the paper's.",
        ),
    ),
    Recipe(
        "t_fixup",
        "depth",
        "Without norms: values, outputs and feed-forward Xavier times 0.67 N^(-1/4), embeddings d^(-1/2) (9 N)^(-1/4).",
        "layer6ai-labs/T-Fixup; Huang+ 2020",
        (
            Line("embedding", start("t_fixup", part="embedding", num_layers=NUM_LAYERS)),
            Line("query|key", start("t_fixup", part="other"), ZEROS),
            Line("on_branch matrix", start("t_fixup", part="branch", num_layers=NUM_LAYERS), ZEROS),
            Line("bias", ZEROS),
        ),
        NEEDS,
        (
            "The numbers are those of an encoder of N layers; a decoder takes (9 M)^(-1/4), by rules.",
            "The code multiplies values by sqrt 2 more, which undoes the gain that fairseq gives packed projections.",
        ),
    ),
)
