"""Recipes of segmentation models."""

from __future__ import annotations

from initium.plan.recipes.library.convnets import FAN_OUT
from initium.plan.recipes.library.shared_lines import NEEDS_CONV, NORM_LINES, TORCH_LINES, ZEROS
from initium.plan.recipes.recipe import Line, Need, Recipe, start

RECIPES = (
    Recipe(
        "deeplab",
        "segmentation",
        "The residual trunk by He over fan_out, pyramid pooling and classifiers torch's default.",
        "torchvision, segmentation/deeplabv3.py; Chen+ 2017, 1706.05587",
        (*NORM_LINES, Line("conv before_trunk|on_branch", FAN_OUT), *TORCH_LINES),
        (*NEEDS_CONV, Need("conv before_trunk", "residual trunk")),
        ("The paper starts from a trained trunk and does not say how the rest is drawn.",),
    ),
    Recipe(
        "unet",
        "segmentation",
        "Every weight N(0, 2 / fan_in), biases 0.",
        "Ronneberger+ 2015, 1505.04597, section 3; He+ 2015, 1502.01852",
        (*NORM_LINES, Line("matrix", start("he_normal", fans="unpadded"), ZEROS), Line("bias", ZEROS)),
        NEEDS_CONV,
        (
            (
                "The paper says nothing of biases. Transposed convolutions take the fan of what they add up "
                "(inputs times taps over stride), not the one that torch computes from the axis order."
            ),
        ),
    ),
    Recipe(
        "nnunet",
        "segmentation",
        "Every convolution by He for a leaky ReLU of slope 0.01, biases 0.",
        "nnU-Net, InitWeights_He(1e-2); Isensee+ 2021, 1809.10486",
        (*NORM_LINES, Line("matrix", start("he_normal", a=0.01, fans="torch"), ZEROS), Line("bias", ZEROS)),
        NEEDS_CONV,
        ("The fan of transposed convolutions is torch's, which swaps inputs and outputs.",),
    ),
)
