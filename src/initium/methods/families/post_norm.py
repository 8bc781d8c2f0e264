"""Transformers without pre-norm: Xavier, with a gain that follows depth on the branches, or a scaled skip."""

from __future__ import annotations

import math
from typing import NamedTuple

from initium.methods.families.variance_kit import fans_of, scaled, spread
from initium.methods.method import WEIGHTS, Method, Paper, Param
from initium.random.distributions import Blocks, Constant, Draw
from initium.theory.fans import blocks
from initium.theory.layer import Layer


def t_fixup(layer: Layer, *, part: str, num_layers: int, side: str) -> Draw:
    """Without layer norm or warm-up: embeddings d^-1/2 (9 N)^-1/4, branches Xavier times 0.67 N^-1/4.

    part="branch" is value, output, fc1 and fc2; on the decoder side they take (9 M)^-1/4. part="other"
    (query, key) is Xavier; a weight with packed blocks q, k, v is split by itself. The authors' code multiplies values
    by sqrt 2 more, which undoes the gain 1/sqrt 2 that fairseq gives packed projections.

    Reference: Huang et al. (2020), Improving Transformer Optimization Through Better Initialization.
    """
    if part == "embedding":
        return spread("normal", max(layer.shape[-1], 1) ** -0.5 * (9 * num_layers) ** -0.25)
    scale = 0.67 * num_layers**-0.25 if side == "encoder" else (9 * num_layers) ** -0.25
    gain = scale if part == "branch" else 1.0
    return _packed(layer, gain) if layer.blocks else _xavier(layer, gain)


def dt_fixup(layer: Layer, *, part: str, num_layers: int, input_norm: float) -> Draw:
    """Xavier; value, output, fc1 and fc2 divided by sqrt(N (4 mu^2 + 2 mu + 2)), mu the input's norm.

    mu is the largest norm of an input token over the data, which the caller measures.

    Reference: Xu et al. (2021), arXiv:2012.15355, section 3.4.
    """
    factor = (num_layers * (4 * input_norm**2 + 2 * input_norm + 2)) ** -0.5
    return _xavier(layer, factor if part == "branch" else 1.0)


def admin(layer: Layer, *, variance: float) -> Draw:
    """Scale omega of a skip in x omega + F(x) of a post-norm net: the root of the branches' variance.

    `variance` is the sum of Var F_j over the branches before this one, measured in one forward pass
    from a default start, plus 1 for the embedding.

    Reference: Liu et al. (2020), arXiv:2004.08249, section 4.
    """
    del layer
    return Constant(math.sqrt(variance))


class DeepNormScales(NamedTuple):
    """alpha of the skip x alpha + F(x), and beta, the Xavier gain of value, output, fc1 and fc2."""

    alpha: float
    beta: float


def deepnorm_scales(architecture: str, num_encoder: int, num_decoder: int, side: str) -> DeepNormScales:
    """The constants of DeepNorm; "single" is encoder-only or decoder-only (num_encoder layers).

    In encoder-decoder models the paper's encoder beta is 0.87 (N^4 M)^-1/16; torchscale multiplies
    by 1.15 (N^4 M)^-1/16, the inverse of the constant.
    """
    n, m = num_encoder, num_decoder
    if architecture == "single":
        return DeepNormScales((2 * n) ** 0.25, (8 * n) ** -0.25)
    if side == "encoder":
        product = (n**4 * m) ** (1 / 16)
        return DeepNormScales(0.81 * product, 0.87 / product)
    return DeepNormScales((3 * m) ** 0.25, (12 * m) ** -0.25)


def deepnorm(
    layer: Layer, *, part: str, architecture: str, num_layers: int, num_decoder: int, side: str
) -> Draw:
    """Xavier with gain beta for value, output, fc1 and fc2, gain 1 for query and key; post-norm to 1,000 layers.

    The skip is multiplied by alpha in the forward pass (`deepnorm_scales`). A weight with packed
    blocks q, k, v is split by itself: gains 1, 1, beta.

    Reference: Wang et al. (2022), arXiv:2203.00555, figure 2.
    """
    beta = deepnorm_scales(architecture, num_layers, num_decoder, side).beta
    return _packed(layer, beta) if layer.blocks else _xavier(layer, beta if part == "branch" else 1.0)


def magneto(layer: Layer, *, part: str, num_layers: int, num_decoder: int, side: str) -> Draw:
    """Xavier with gain sqrt(ln 2N) for value, output, fc1 and fc2 of a Sub-LN transformer.

    Encoder-decoder (num_decoder > 0): sqrt(ln(3M) ln(2N) / 3) in the encoder, sqrt(ln 3M) in the decoder.

    Reference: Wang et al. (2022), arXiv:2210.06423, figure 2.
    """
    n, m = num_layers, num_decoder
    if m == 0:
        gain = math.sqrt(math.log(2 * n))
    else:
        gain = math.sqrt(math.log(3 * m) * (math.log(2 * n) / 3 if side == "encoder" else 1))
    return _packed(layer, gain) if layer.blocks else _xavier(layer, gain if part == "branch" else 1.0)


def _xavier(layer: Layer, gain: float) -> Draw:
    return scaled(layer, "uniform", gain * gain, fans_of(layer, "effective").mean)


def _packed(layer: Layer, gain: float) -> Draw:
    """Queries and keys with gain 1, the values behind them with `gain`."""
    parts = blocks(layer)  # q, k, v in torch's order: only values lie on the path that depth multiplies
    gains = [1.0] * (len(parts) - 1) + [gain]
    draws = tuple(_xavier(part, gain) for part, gain in zip(parts, gains, strict=True))
    return Blocks(layer.out_axis % len(layer.shape), layer.blocks, draws)


LAYERS_PARAM = Param("num_layers", 12, "number of layers", low=1)
_DECODER = Param("num_decoder", 0, "decoder layers of an encoder-decoder", low=0)
_SIDE = Param("side", "encoder", "side of an encoder-decoder", choices=("encoder", "decoder"))
_PART = Param(
    "part", "branch", "branch: value, output, fc1, fc2; other: query, key", choices=("branch", "other")
)
_DEEPNORM_M = Param("num_decoder", 12, "decoder layers of an encoder-decoder", low=1)

METHODS = (
    Method(
        "t_fixup",
        "transformer",
        "Transformers without layer norm and warm-up.",
        (
            Param("part", "branch", "what the weight is", choices=("embedding", "branch", "other")),
            LAYERS_PARAM,
            _SIDE,
        ),
        WEIGHTS,
        Paper("Huang, Perez, Ba, Volkovs", 2020, "Improving Transformer Optimization"),
        t_fixup,
        aliases=("tfixup",),
        whole=True,
    ),
    Method(
        "dt_fixup",
        "transformer",
        "T-Fixup with the input's norm, for small data.",
        (_PART, LAYERS_PARAM, Param("input_norm", 1.0, "largest norm of an input token", low=0.0)),
        WEIGHTS,
        Paper("Xu et al.", 2021, "Optimizing Deeper Transformers on Small Datasets", "2012.15355"),
        dt_fixup,
        aliases=("dtfixup",),
    ),
    Method(
        "admin",
        "transformer",
        "Skip scales of post-norm nets from measured branch variances.",
        (Param("variance", 1.0, "1 plus the variances of the branches before", low=0.0),),
        ("vector",),
        Paper("Liu et al.", 2020, "Understanding the Difficulty of Training Transformers", "2004.08249"),
        admin,
    ),
    Method(
        "deepnorm",
        "transformer",
        "Xavier with depth gain beta, for post-norm nets.",
        (
            _PART,
            Param(
                "architecture", "single", "single or encoder_decoder", choices=("single", "encoder_decoder")
            ),
            LAYERS_PARAM,
            _DEEPNORM_M,
            _SIDE,
        ),
        WEIGHTS,
        Paper("Wang et al.", 2022, "DeepNet: Scaling Transformers to 1,000 Layers", "2203.00555"),
        deepnorm,
        aliases=("deepnet",),
        whole=True,
    ),
    Method(
        "magneto",
        "transformer",
        "Xavier with gain sqrt(ln 2N), for Sub-LN nets.",
        (_PART, LAYERS_PARAM, _DECODER, _SIDE),
        WEIGHTS,
        Paper("Wang et al.", 2022, "Foundation Transformers", "2210.06423"),
        magneto,
        aliases=("sub_ln",),
        whole=True,
    ),
)
