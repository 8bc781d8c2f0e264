"""Recipes of language models: scales that follow depth on the residual stream."""

from __future__ import annotations

from initium.plan.recipes.library.shared_lines import LAYER_INDEX, NORM_LINES, NUM_LAYERS, ZEROS
from initium.plan.recipes.recipe import Line, Need, Recipe, start

NEEDS = (
    Need("writes", "residual branch"),
    Need("reads_attention", "weight that reads what attention has mixed"),
)
_TIED = "A head tied to the embedding is kept, as every tied parameter; give it a rule to draw both."
_GPT2 = (
    *NORM_LINES,
    Line("writes", start("gpt2", residual=True, num_layers=NUM_LAYERS), ZEROS),
    Line("embedding|position", start("normal", std=0.02)),
    Line("matrix", start("gpt2"), ZEROS),
    Line("bias", ZEROS),
)

RECIPES = (
    Recipe(
        "gpt2",
        "language",
        "N(0, 0.02^2), what writes to the stream divided by sqrt(2 L), biases 0.",
        "transformers, gpt2; Radford+ 2019",
        _GPT2,
        NEEDS,
        (
            _TIED,
            "The paper divides by the root of the number of residual layers: the branches on the stream.",
        ),
    ),
    Recipe(
        "megatron",
        "language",
        "As gpt2: N(0, 0.02^2), output projections divided by sqrt(2 L).",
        "Megatron-LM, scaled_init_method_normal; Shoeybi+ 2019, 1909.08053",
        _GPT2,
        NEEDS,
        (
            _TIED,
            "Megatron's default for large models is a smaller spread (sqrt(1 / (3 d))): give rules for it.",
        ),
    ),
    Recipe(
        "olmo",
        "language",
        "Normal cut at 3 sigma, 1 / sqrt(fan_in); what writes to the stream 1 / sqrt(2 fan_in (l + 1)), l from 0.",
        "OLMo, model.py, init_fn mitchell; Groeneveld+ 2024, 2402.00838",
        (
            *NORM_LINES,
            Line("writes", start("mitchell", residual=True, index=LAYER_INDEX, corrected=False), ZEROS),
            Line("embedding|position", start("embedding", rule="width")),
            Line("matrix", start("mitchell", corrected=False), ZEROS),
            Line("bias", ZEROS),
        ),
        NEEDS,
        (
            _TIED,
            "The cut makes the spread 0.9866 of what is asked for, as in OLMo. OLMo cuts its embedding too.",
        ),
    ),
)
