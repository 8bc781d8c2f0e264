"""Transformers: scales that follow width and depth, by role in the block."""

from __future__ import annotations

import math

from initium.methods.families import post_norm
from initium.methods.families.post_norm import LAYERS_PARAM
from initium.methods.families.variance_kit import DISTRIBUTION, fans_of, scaled, spread
from initium.methods.method import WEIGHTS, Method, Paper, Param, refuse
from initium.random.distributions import Blocks, Constant, Draw, Normal, TruncatedNormal
from initium.theory.layer import Layer


def embedding(layer: Layer, *, rule: str, std: float | None, padding: int | None) -> Draw:
    """N(0, std^2) for tokens or positions: std 1 (torch), 0.02 (GPT-2, BERT), d^-1/2 (width), 1e-4 (small).

    With a tied output head the logits have variance d std^2: at std = 1 the first loss is far
    above ln V; 0.02 or d^-1/2 keep it there. "small" is for a norm right behind the embedding.
    The row of the padding token stays zero.

    Reference: Radford et al. (2019); Vaswani et al. (2017), arXiv:1706.03762.
    """
    if std is None:
        width = max(layer.shape[-1] if layer.shape else 1, 1)
        std = {"torch": 1.0, "gpt": 0.02, "width": width**-0.5, "small": 1e-4}[rule]
    draw = spread("normal", std)
    return draw if padding is None else _without_row(layer, draw, padding)


def _without_row(layer: Layer, draw: Draw, row: int) -> Draw:
    """The draw with one row of zeros."""
    num_rows = layer.shape[0] if layer.shape else 0
    if row >= num_rows:
        raise refuse("embedding", layer, f"more than {row} rows, as padding={row} asks for")
    # The first and the last row have nothing before or behind them, and a block of no rows is none.
    parts = [(row, draw), (1, Constant(0.0)), (num_rows - row - 1, draw)]
    sizes, draws = zip(*(part for part in parts if part[0]), strict=True)
    return Blocks(0, sizes, draws)


def gpt2(layer: Layer, *, std: float, num_layers: int, residual: bool) -> Draw:
    """N(0, std^2); weights that write to the residual stream N(0, std^2 / (2 L)): GPT-2 and Megatron.

    A stream of L blocks adds 2 L branches; dividing each by 2 L keeps its variance.

    Reference: Radford et al. (2019), section 2.3; Shoeybi et al. (2019), arXiv:1909.08053.
    """
    del layer
    return spread("normal", std / math.sqrt(2 * num_layers) if residual else std)


def small_init(layer: Layer, *, width: int | None) -> Draw:
    """N(0, 2 / (5 d)), d the width of the model: Xavier for a 4-fold feed-forward, used for all.

    Reference: Nguyen and Salazar (2019), arXiv:1910.05895, section 2.2.
    """
    return spread("normal", math.sqrt(2 / (5 * _width(layer, width))))


def wang(layer: Layer, *, num_layers: int, width: int | None) -> Draw:
    """N(0, (2 / (L sqrt d))^2) for weights that write to the residual stream; with `small_init` elsewhere.

    Reference: Wang and Komatsuzaki (2021), GPT-J.
    """
    width = layer.num_out if width is None else width
    return spread("normal", 2 / (num_layers * math.sqrt(max(width, 1))))


def mitchell(layer: Layer, *, index: int, residual: bool, corrected: bool) -> Draw:
    """Normal cut at 3 sigma, std 1 / sqrt(fan_in); writing to the stream 1 / sqrt(2 fan_in (l + 1)).

    OLMo does not correct the cut (std .9866 of what is asked for); corrected=False does as OLMo.

    Reference: Groeneveld et al. (2024), OLMo, arXiv:2402.00838.
    """
    fan = max(fans_of(layer, "effective").fan_in, 1.0) * (2 * (index + 1) if residual else 1)
    return TruncatedNormal(0.0, fan**-0.5, -3.0, 3.0, corrected)


def depth_scaled(layer: Layer, *, std: float, index: int, residual: bool, distribution: str) -> Draw:
    """Std std, for weights that write to the residual stream std / sqrt(2 (l + 1)), l the layer's index.

    BEiT's fix_init and llama's depth rule. Only the two output projections write to the stream:
    code that also scales the gate or up projection of a SwiGLU shrinks the branch twice.

    Reference: Bao et al. (2021), arXiv:2106.08254; timm's fix_init_weight.
    """
    del layer
    return spread(distribution, std / math.sqrt(2 * (index + 1)) if residual else std)


def scaled_embedding(layer: Layer, *, part: str, num_layers: int, width: int | None) -> Draw:
    """Embeddings of std 1 and small branches, so that the norms' gradients do not spike.

    embedding N(0, 1) (the paper multiplies N(0, 1/d) by sqrt d in the forward pass), weights that
    write to the stream N(0, 2 / (5 d) / (2 L)), others N(0, 2 / (5 d)).

    Reference: Takase et al. (2023), arXiv:2312.16903.
    """
    if part == "embedding":
        return Normal(0.0, 1.0)
    std = math.sqrt(2 / (5 * _width(layer, width)))
    return spread("normal", std / math.sqrt(2 * num_layers) if part == "residual" else std)


def ngpt(layer: Layer, *, width: int | None, num_layers: int, residual: bool) -> Draw:
    """N(0, 1/d), weights that write to the stream N(0, 1 / (2 L d)); nGPT normalizes rows afterwards.

    Reference: Loshchilov et al. (2024), arXiv:2410.01131; OLMo-core's InitMethod.normalized.
    """
    std = max(_width(layer, width), 1) ** -0.5
    return spread("normal", std / math.sqrt(2 * num_layers) if residual else std)


def mup(layer: Layer, *, role: str, base_width: int, gain: float, zero_output: bool) -> Draw:
    """Maximal update: Var W = gain^2 / fan_in for input and hidden, gain^2 base / fan_in^2 for output weights.

    The form without multipliers in the forward pass: at fan_in = base_width all is standard, and
    with width the logits shrink as 1/width. Learning rates must follow too (Adam: hidden and output
    1/width), and attention uses 1/d. Depth does not transfer.

    Reference: Yang et al. (2022), arXiv:2203.03466, table 3.
    """
    fan_in = fans_of(layer, "effective").fan_in
    if role == "output":
        return Constant(0.0) if zero_output else scaled(layer, "normal", gain**2 * base_width, fan_in**2)
    return scaled(layer, "normal", gain**2, fan_in)


def _width(layer: Layer, width: int | None) -> float:
    """The width given, or what the layer reads; 1 for an empty layer."""
    return max(fans_of(layer, "effective").fan_in if width is None else width, 1)


_INDEX = Param("index", 0, "number of the layer, from 0", low=0)
_RESIDUAL = Param("residual", False, "the weight writes to the residual stream")
_WIDTH = Param("width", None, "width of the model; what the layer reads when not given", low=1)
_STD_PARAM = Param("std", 0.02, "standard deviation", low=0.0)
_RADFORD = Paper("Radford et al.", 2019, "Language Models are Unsupervised Multitask Learners")

METHODS = (
    Method(
        "embedding",
        "transformer",
        "Normal embeddings by one of four rules.",
        (
            Param(
                "rule",
                "gpt",
                "torch 1, gpt 0.02, width d^-1/2, small 1e-4",
                choices=("torch", "gpt", "width", "small"),
            ),
            Param("std", None, "standard deviation, in place of the rule", low=0.0),
            Param("padding", None, "the row of the padding token, which stays zero", low=0),
        ),
        ("embedding", "vector", "other"),
        _RADFORD,
        embedding,
    ),
    Method(
        "gpt2",
        "transformer",
        "N(0, .02^2), residual outputs divided by sqrt(2 L).",
        (_STD_PARAM, LAYERS_PARAM, _RESIDUAL),
        WEIGHTS,
        _RADFORD,
        gpt2,
        aliases=("megatron",),
    ),
    Method(
        "small_init",
        "transformer",
        "N(0, 2 / (5 d)).",
        (_WIDTH,),
        WEIGHTS,
        Paper("Nguyen, Salazar", 2019, "Transformers without Tears", "1910.05895"),
        small_init,
    ),
    Method(
        "wang",
        "transformer",
        "Residual outputs of std 2 / (L sqrt d).",
        (LAYERS_PARAM, _WIDTH),
        WEIGHTS,
        Paper("Wang, Komatsuzaki", 2021, "GPT-J-6B"),
        wang,
        aliases=("wang_init",),
    ),
    Method(
        "mitchell",
        "transformer",
        "1 / sqrt(fan_in) cut at 3 sigma, outputs scaled by layer index.",
        (_INDEX, _RESIDUAL, Param("corrected", True, "std is that of the cut normal")),
        WEIGHTS,
        Paper("Groeneveld et al.", 2024, "OLMo", "2402.00838"),
        mitchell,
    ),
    Method(
        "depth_scaled",
        "transformer",
        "A fixed std, outputs divided by sqrt(2 (l + 1)).",
        (_STD_PARAM, _INDEX, _RESIDUAL, DISTRIBUTION),
        WEIGHTS,
        Paper("Bao, Dong, Piao, Wei", 2021, "BEiT", "2106.08254"),
        depth_scaled,
        aliases=("fix_init", "llama_depth"),
    ),
    Method(
        "scaled_embedding",
        "transformer",
        "Embeddings of std 1, small branches: no loss spikes.",
        (
            Param("part", "other", "what the weight is", choices=("embedding", "residual", "other")),
            LAYERS_PARAM,
            _WIDTH,
        ),
        WEIGHTS,
        Paper("Takase, Kiyono, Kobayashi, Suzuki", 2023, "Spike No More", "2312.16903"),
        scaled_embedding,
    ),
    *post_norm.METHODS,
    Method(
        "ngpt",
        "transformer",
        "N(0, 1/d), residual outputs divided by sqrt(2 L).",
        (_WIDTH, LAYERS_PARAM, _RESIDUAL),
        WEIGHTS,
        Paper("Loshchilov, Hsieh, Sun, Ginsburg", 2024, "nGPT", "2410.01131"),
        ngpt,
    ),
    Method(
        "mup",
        "transformer",
        "Maximal update parametrization, without forward multipliers.",
        (
            Param("role", "hidden", "what the weight is", choices=("input", "hidden", "output")),
            Param("base_width", 256, "width at which all is standard", low=1),
            Param("gain", 1.0, "factor on the standard deviation", low=0.0),
            Param("zero_output", False, "start the output weight at 0"),
        ),
        WEIGHTS,
        Paper("Yang et al.", 2022, "Tensor Programs V", "2203.03466"),
        mup,
    ),
)
