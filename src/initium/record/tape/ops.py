"""What each ATen operation means to a record: one table a category, keyed by the operation's name.

An operation in none of the tables is opaque: its inputs and outputs are followed, nothing else is claimed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

Category = Literal[
    "weighted", "activation", "norm", "softmax", "add", "mul", "matmul", "attention", "concat",
    "pool", "copy", "lookup", "reduce", "input", "opaque",
]  # fmt: skip

CONVOLUTIONS = frozenset({"aten.convolution", "aten.convolution_overrideable", "torchvision.deform_conv2d"})
MATMULS = frozenset(
    {"aten.addmm", "aten.mm", "aten.bmm", "aten.baddbmm", "aten.linear", "aten.matmul", "aten.mv",
     "aten.addmv", "aten.dot", "aten.addbmm", "aten._addmm_activation", "aten._scaled_mm"}
)  # fmt: skip
BIAS_FIRST = frozenset({"aten.addmm", "aten.baddbmm", "aten.addmv", "aten.addbmm", "aten._addmm_activation"})
"""Products whose first argument is added to the result."""
LOOKUPS = frozenset({"aten.embedding", "aten._embedding_bag", "aten._embedding_bag_forward_only"})
RECURRENT = frozenset(
    {"aten.mkldnn_rnn_layer", "aten._thnn_fused_lstm_cell", "aten._thnn_fused_gru_cell", "aten.lstm", "aten.gru",
     "aten._cudnn_rnn", "aten.miopen_rnn"}
)  # fmt: skip

ACTIVATIONS = {
    "aten.relu": "relu", "aten.leaky_relu": "leaky_relu", "aten.gelu": "gelu", "aten.silu": "silu",
    "aten.sigmoid": "sigmoid", "aten.tanh": "tanh", "aten.elu": "elu", "aten.hardtanh": "hardtanh",
    "aten.hardswish": "hardswish", "aten.hardsigmoid": "hardsigmoid", "aten.mish": "mish",
    "aten.softplus": "softplus", "aten._prelu_kernel": "prelu", "aten.prelu": "prelu",
    "aten.clamp": "clamp", "aten.clamp_min": "clamp_min", "aten.clamp_max": "clamp_max", "aten.sin": "sin",
    "aten.cos": "cos", "aten.erf": "erf", "aten.exp": "exp", "aten.log": "log", "aten.abs": "abs",
    "aten.threshold": "threshold", "aten.rrelu_with_noise": "rrelu", "aten.celu": "celu",
    "aten.log_sigmoid_forward": "log_sigmoid", "aten.log_sigmoid": "log_sigmoid", "aten.square": "square",
    "aten.pow": "pow", "aten.sqrt": "sqrt", "aten.rsqrt": "rsqrt", "aten.atan": "atan", "aten.sinh": "sinh",
    "aten.asinh": "asinh", "aten.log1p": "log1p", "aten.expm1": "expm1", "aten.softshrink": "softshrink",
    "aten.hardshrink": "hardshrink", "aten.reciprocal": "reciprocal", "aten.glu": "glu",
}  # fmt: skip
"""Pointwise nonlinear operations and the names that the field gives them."""

DEADLY = frozenset({"relu", "clamp_min", "threshold", "hardtanh", "clamp", "hardswish"})
"""Activations whose output and gradient can both be zero for a whole unit."""

SATURATING = {
    "sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "erf": (-1.0, 1.0),
}
"""Bounded activations and the two values at which they saturate."""
SATURATION_MARGIN = 0.01
"""Share of the range of a bounded activation within which of a bound it counts as saturated."""

NORMS = {
    "aten.native_layer_norm": "layer", "aten.native_batch_norm": "batch", "aten._native_batch_norm_legit": "batch",
    "aten._native_batch_norm_legit_no_training": "batch", "aten._batch_norm_with_update": "batch",
    "aten.cudnn_batch_norm": "batch", "aten.miopen_batch_norm": "batch", "aten.native_group_norm": "group",
    "aten._fused_rms_norm": "rms", "aten.native_norm": "norm", "aten.layer_norm": "layer",
    "aten.rms_norm": "rms", "aten.batch_norm_elemt": "batch",
}  # fmt: skip
SOFTMAXES = frozenset({"aten._softmax", "aten._log_softmax", "aten.softmax", "aten._safe_softmax"})
ATTENTIONS = frozenset(
    {"aten._scaled_dot_product_flash_attention_for_cpu", "aten._scaled_dot_product_flash_attention",
     "aten._scaled_dot_product_efficient_attention", "aten._scaled_dot_product_cudnn_attention",
     "aten._scaled_dot_product_fused_attention_overrideable", "aten.scaled_dot_product_attention"}
)  # fmt: skip
PLAIN_SUMS = frozenset({"aten.add", "aten.sub"})
"""x + y and x - y, neither operand weighed."""
PLAIN_PRODUCTS = frozenset({"aten.mul", "aten.div"})
"""x y and x / y, nothing added."""
ADDS = PLAIN_SUMS | {"aten.rsub", "aten.lerp"}
MULS = PLAIN_PRODUCTS | {"aten.addcmul"}
CONCATS = frozenset({"aten.cat", "aten.stack"})
POOLS = frozenset(
    {"aten.mean", "aten.sum", "aten.max_pool2d_with_indices", "aten.avg_pool2d", "aten._adaptive_avg_pool2d",
     "aten.adaptive_max_pool2d", "aten.max_pool3d_with_indices", "aten.avg_pool3d", "aten._adaptive_avg_pool3d",
     "aten.avg_pool1d", "aten.amax", "aten.max", "aten.upsample_bilinear2d", "aten.upsample_nearest2d",
     "aten.upsample_bicubic2d", "aten._upsample_bilinear2d_aa", "aten._upsample_bicubic2d_aa",
     "aten.upsample_trilinear3d",
     "aten.grid_sampler_2d", "aten.upsample_nearest1d", "aten.upsample_linear1d", "torchvision.roi_align"}
)  # fmt: skip
COPIES = frozenset(
    {"aten.clone", "aten._to_copy", "aten.copy", "aten.copy_", "aten.contiguous", "aten.constant_pad_nd",
     "aten.native_dropout", "aten.roll", "aten.flip", "aten._unsafe_view", "aten.index", "aten.gather",
     "aten.repeat", "aten.pixel_shuffle", "aten.pixel_unshuffle", "aten.channel_shuffle",
     "aten.reflection_pad2d", "aten.replication_pad2d",
     "aten.masked_fill", "aten.where", "aten.index_select", "aten.im2col", "aten.col2im",
     "aten._reshape_copy", "aten._unsafe_index"}
)  # fmt: skip
"""Operations that move values without changing their distribution much: looked through when asking what comes next."""

CHOOSING = frozenset({"aten.where", "aten.masked_fill"})
"""Copies that take some values from elsewhere: they move values, but not all to where they were."""
SHUFFLES = frozenset(
    {"aten.channel_shuffle", "aten.pixel_shuffle", "aten.pixel_unshuffle", "aten.roll", "aten.flip", "aten.index",
     "aten.index_select", "aten.gather", "aten.repeat", "aten.im2col", "aten.col2im", "aten._unsafe_index"}
)  # fmt: skip
"""Copies that may give channels another place."""
SELECTIONS = frozenset({"aten.topk", "aten.sort", "aten.split", "aten.slice"})
"""Operations in no table that hand values on as they are, some of them or in another order."""
LINKS = {
    "aten.binary_cross_entropy_with_logits": "sigmoid",
    "aten.cross_entropy_loss": "softmax",
    "aten.log_sigmoid_forward": "sigmoid",
}
"""Losses that make probabilities of scores, and the function that they do it by."""

FACTORIES = frozenset(
    {"aten.empty_like", "aten.zeros_like", "aten.ones_like", "aten.full_like", "aten.rand_like", "aten.randn_like",
     "aten.new_empty", "aten.new_zeros", "aten.new_ones", "aten.new_full", "aten.new_empty_strided", "aten.bernoulli",
     "aten.empty_strided", "aten.randint_like"}
)  # fmt: skip
"""Operations that take only the shape of their tensor argument: what they return is a constant."""

STATISTICS = frozenset(
    {
        "aten.mean",
        "aten.sum",
        "aten.var",
        "aten.var_mean",
        "aten.std",
        "aten.std_mean",
        "aten.linalg_vector_norm",
        "aten.norm",
    }
)
"""Reductions that a norm written out by hand divides by."""

HOMOGENEOUS = frozenset({"relu", "leaky_relu", "prelu", "abs", "identity", "threshold", "clamp_min"})
"""Activations with f(a x) = a f(x) for a > 0 (clamp_min and threshold at zero)."""

STANDARDIZERS = frozenset(
    {"aten.var_mean", "aten.std", "aten.std_mean", "aten.var", "aten.linalg_vector_norm", "aten.norm",
     "aten._weight_norm_interface", "aten.native_batch_norm", "aten._native_batch_norm_legit", "aten.native_layer_norm",
     "aten._weight_norm", "aten.cudnn_batch_norm", "aten._fused_rms_norm"}
)  # fmt: skip
"""Operations that, on the way from a parameter to its use, take the parameter's scale out."""


GROWING = HOMOGENEOUS | {"gelu", "silu", "mish", "hardswish", "elu", "celu", "glu", "rrelu"}
"""Activations that grow at most in proportion to what they are given, and nearly so where it is large."""
SQUASHING = frozenset({"sigmoid", "tanh", "erf", "hardsigmoid"})
"""Bounded activations made to work between their bounds; a hardtanh clips, and may well be at a bound."""
GATING = frozenset({"sigmoid", "hardsigmoid", "tanh", "hardtanh"})
"""Activations whose output is a share of what it multiplies."""
RECIPROCALS = frozenset({"rsqrt", "reciprocal"})
"""Activations that take a reciprocal whatever their numbers."""
PARAMETRIC = frozenset({"prelu"})
"""Activations whose slope is a parameter."""
TWO_NUMBERS = frozenset({"rrelu", "clamp"})
"""Activations that are known only if both of their numbers are."""
PAIRING = frozenset({"glu"})
"""Activations of two halves of their input."""
SAMPLE_NORMS = frozenset({"layer", "group", "rms"})
"""Kinds of norms whose statistics are those of one sample."""
LAYER_NORMS = frozenset({"layer", "rms"})
"""Kinds of norms whose statistics are those of one position of one sample."""

_SAMPLING = (
    "torchvision.roi_align",
    "torchvision.roi_pool",
    "aten.grid_sampler",
    "torchvision.deform_conv2d",
)
_REGIONS = ("torchvision.roi_align", "torchvision.roi_pool")


def samples_at_places(name: str) -> bool:
    """Whether its later operands say at which places its first one is read.

    Example:
        >>> samples_at_places("aten.grid_sampler_2d"), samples_at_places("aten.convolution")
        (True, False)
    """
    return name.startswith(_SAMPLING)


def is_grid_sampler(name: str) -> bool:
    """Whether it reads a map at a grid of places, in any number of dimensions."""
    return "grid_sampler" in name


def is_deformable(name: str) -> bool:
    """Whether it is a convolution that is told where to look."""
    return "deform_conv" in name


def crops_regions(name: str) -> bool:
    """Whether it cuts regions out of a map."""
    return name.startswith(_REGIONS)


def upsamples(name: str) -> bool:
    """Whether it enlarges a map by interpolation."""
    return "upsample" in name


def convolves(name: str) -> bool:
    """Whether it is a plain convolution, on any device."""
    return name.startswith("aten.convolution")


def takes_maximum(name: str) -> bool:
    """Whether it hands on largest values alone, which chooses where gradients go."""
    return "max" in name


def multiplies(name: str) -> bool:
    """Whether it is x y."""
    return name == "aten.mul"


def divides(name: str) -> bool:
    """Whether it is x / y."""
    return name == "aten.div"


def subtracts(name: str) -> bool:
    """Whether it is x - y, in this order."""
    return name == "aten.sub"


def is_power(kind: str) -> bool:
    """Whether an activation of this kind is a power with an exponent of its own."""
    return kind == "pow"


def is_sigmoid(kind: str) -> bool:
    """Whether an activation of this kind makes a probability of a score."""
    return kind == "sigmoid"


def is_dropout(name: str) -> bool:
    """Whether it draws a mask and multiplies by it in one."""
    return name == "aten.native_dropout"


def is_linear(name: str) -> bool:
    """Whether it is x W' + b with the weight as torch.nn.Linear holds it, (out, in)."""
    return name == "aten.linear"


def has_padding_row(name: str) -> bool:
    """Whether the first of its numbers is the row that padding looks up, or -1."""
    return name == "aten.embedding"


def bias_place(name: str) -> int:
    """Which argument of a weighted operation is the bias that it adds.

    Example:
        >>> bias_place("aten.addmm"), bias_place("aten.convolution"), bias_place("torchvision.deform_conv2d")
        (0, 2, 4)
    """
    if name in BIAS_FIRST:
        return 0
    return 4 if is_deformable(name) else 2


def aten_function(name: str) -> Any:
    """The operation itself, of those that torch.ops.aten has; None for others."""
    return getattr(torch.ops.aten, name.removeprefix("aten."), None)


def is_fixed_norm(name: str, args: Sequence[object]) -> bool:
    """Whether a batch norm applies statistics it has stored (evaluation mode): then it is but a fixed affine map."""
    if NORMS.get(name) != "batch":
        return False
    return (
        name.endswith("_no_training") or next((arg for arg in args if isinstance(arg, bool)), True) is False
    )


def base_name(func: object) -> str:
    """`aten.relu_.default` -> `aten.relu_`: namespace and name without the overload."""
    packet = getattr(func, "overloadpacket", func)
    return str(packet).replace("::", ".")


def plain_name(name: str) -> str:
    """The functional form of an in-place name: `aten.relu_` -> `aten.relu`."""
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


_TABLES: tuple[tuple[frozenset[str] | dict[str, str], Category], ...] = (
    (CONVOLUTIONS | RECURRENT, "weighted"), (MATMULS, "matmul"), (LOOKUPS, "lookup"), (ACTIVATIONS, "activation"),
    (NORMS, "norm"), (SOFTMAXES, "softmax"), (ATTENTIONS, "attention"), (ADDS, "add"), (MULS, "mul"),
    (CONCATS, "concat"), (POOLS, "pool"), (COPIES, "copy"),
)  # fmt: skip
_CATEGORY: dict[str, Category] = {name: category for table, category in _TABLES for name in table}


def categorize(name: str) -> Category:
    """The category of an operation by its base name; `opaque` where no table has it."""
    return _CATEGORY.get(name) or _CATEGORY.get(plain_name(name), "opaque")
