"""Lines and numbers that several recipes share."""

from __future__ import annotations

from initium.plan.recipes.recipe import Line, Measured, Need, start

FAN_IN, NUM_LAYERS, LAYER_INDEX = Measured("fan_in"), Measured("layers"), Measured("layer")
ZEROS = start("zeros")
XAVIER_UNIFORM = start("xavier_uniform", fans="torch")
TORCH_DEFAULT = start("torch_default")
TORCH_BIAS = start("torch_default", fan_in=FAN_IN)
CUT_AT_TWO = start("truncated_normal", std=0.02, low=-2.0, high=2.0, bounds="absolute", corrected=False)
"""trunc_normal_(std=.02) of torch and timm: the bounds are absolute, 100 standard deviations away."""

NORM_LINES = (Line("norm_gain", start("ones")), Line("norm_shift", ZEROS))
TORCH_LINES = (
    Line("bias", TORCH_BIAS),
    Line("matrix", TORCH_DEFAULT),
)
"""What torch.nn layers start with."""

NEEDS_CONV = (Need("conv", "convolution"),)
