"""Recipes of detection transformers; convolutional trunks are kept."""

from __future__ import annotations

from initium.plan.recipes.library.shared_lines import TORCH_BIAS, TORCH_DEFAULT, XAVIER_UNIFORM, ZEROS
from initium.plan.recipes.recipe import Line, Measured, Need, Recipe, start

_LAYER_NORM_LINES = (Line("norm_gain layer_norm", start("ones")), Line("norm_shift layer_norm", ZEROS))
_OFFSETS = start(
    "deformable_offsets", num_heads=Measured("heads"), num_levels=Measured("levels"), num_points=Measured("points")
)  # fmt: skip

RECIPES = (
    Recipe(
        "detr",
        "detr",
        "Encoder and decoder Xavier uniform, attention biases 0; heads torch's default, queries N(0, 1).",
        "facebookresearch/detr, transformer.py, as torch.nn.Transformer; Carion+ 2020, 2005.12872",
        (
            *_LAYER_NORM_LINES,
            Line("linear feedforward", XAVIER_UNIFORM, TORCH_BIAS),
            Line(
                "linear query|key|value|attention|packed|reads_attention|on_branch",
                XAVIER_UNIFORM,
                ZEROS,
                whole=True,
            ),
            Line("embedding", start("normal", std=1.0)),
            Line("linear", TORCH_DEFAULT, TORCH_BIAS),
        ),
        (Need("linear reads_attention", "linear layer that reads what attention has mixed"),),
        (
            "Packed q, k and v of nn.MultiheadAttention are drawn as one matrix, with half the variance of three.",
            "transformers draws all of DETR from N(0, 0.02^2) instead.",
            "Convolutions are kept: the trunk comes trained, and its projection at torch's default.",
        ),
    ),
    Recipe(
        "deformable_attention",
        "detr",
        "Sampling offsets start as a star of directions, attention weights at 0, values and outputs Xavier.",
        "Deformable-DETR, ms_deform_attn.py; transformers, deformable_detr; Zhu+ 2020, 2010.04159",
        (
            Line("sampling_offsets linear", start("zeros"), _OFFSETS),
            Line("mixes linear", start("zeros"), ZEROS),
            Line("linear sampled|reads_samples", XAVIER_UNIFORM, ZEROS),
        ),
        (Need("sampling_offsets linear", "linear layer that says where attention samples"),),
        (
            "Attention that samples is recognized by its call of grid_sample; a compiled kernel of its own is opaque.",
            "Self-attention of decoders is Xavier as well in the paper's code, and N(0, 0.02^2) in transformers.",
        ),
    ),
)
