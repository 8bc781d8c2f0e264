"""Recipes of convolutional classifiers."""

from __future__ import annotations

from initium.plan.recipes.library.shared_lines import CUT_AT_TWO, NEEDS_CONV, NORM_LINES, TORCH_LINES, ZEROS
from initium.plan.recipes.recipe import Line, Need, Recipe, start

FAN_OUT = start("he_normal", mode="fan_out", fans="torch")

RECIPES = (
    Recipe(
        "timm_resnet",
        "convnets",
        "Convolutions by He over fan_out, the last norm gain of each branch 0, the classifier torch's default.",
        "timm, resnet.py; He+ 2015, 1502.01852; Goyal+ 2017, 1706.02677",
        (Line("last_gain", start("zero_gamma")), *NORM_LINES, Line("conv", FAN_OUT), *TORCH_LINES),
        (*NEEDS_CONV, Need("last_gain", "norm at the end of a residual branch")),
        (
            (
                "fan_out is torch's: for grouped convolutions (ResNeXt) it counts the outputs of all groups, so their "
                "weights are smaller by sqrt(groups) than the paper's rule asks for."
            ),
            "Goyal et al. draw the classifier from N(0, 0.01^2); timm leaves it at torch's default.",
        ),
    ),
    Recipe(
        "torchvision_resnet",
        "convnets",
        "As timm_resnet, but every norm gain 1.",
        "torchvision, resnet.py; He+ 2015, 1502.01852",
        (*NORM_LINES, Line("conv", FAN_OUT), *TORCH_LINES),
        NEEDS_CONV,
        ("zero_init_residual is off in torchvision unless asked for; timm has it on.",),
    ),
    Recipe(
        "convnext",
        "convnets",
        "Everything N(0, 0.02^2), biases 0, layer scale 1e-6.",
        "timm, convnext.py; Liu+ 2022, 2201.03545",
        (
            *NORM_LINES,
            Line("scale on_branch !scalar", start("layer_scale", value=1e-6)),
            Line("matrix", CUT_AT_TWO, ZEROS),
            Line("bias", ZEROS),
        ),
        (*NEEDS_CONV, Need("scale on_branch", "layer scale on a residual branch")),
        (
            "Called a truncated normal; the cut is at -2 and 2, a hundred standard deviations away, so it is a normal.",
        ),
    ),
    Recipe(
        "efficientnet",
        "convnets",
        "Convolutions N(0, 2 / fan_out) with the fan of a group, linear layers U(-b, b), b = 1 / sqrt(out).",
        "timm, _efficientnet_builder.py, after the TPU code; Tan+ 2019, 1905.11946",
        (*NORM_LINES, Line("conv|linear", start("efficientnet"), ZEROS), *TORCH_LINES),
        NEEDS_CONV,
        (
            (
                "The paper does not give an initialization; this is the TensorFlow code's. Its linear rule uses "
                "the number of outputs, which for 1000 classes is far from 1 / sqrt(fan_in)."
            ),
        ),
    ),
    Recipe(
        "nfnet",
        "convnets",
        "Convolutions N(0, 1 / fan_in) (standardized in every forward), gains 1, branch scalars 0, head N(0, 0.01^2).",
        "timm, nfnet.py; Brock+ 2021, 2102.06171",
        (
            *NORM_LINES,
            Line("scale folded", start("ones")),
            Line("scale scalar on_branch", start("skip_init")),
            Line("conv", start("lecun_normal", fans="torch"), ZEROS),
            Line("linear", start("normal", std=0.01), ZEROS),
            Line("bias", ZEROS),
        ),
        (*NEEDS_CONV, Need("conv folded", "convolution whose weight is standardized")),
        (
            "The paper takes ReLU's gain into the weight; timm multiplies the activation by it in the forward pass.",
        ),
    ),
)
