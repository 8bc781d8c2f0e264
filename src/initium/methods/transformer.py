"""Transformers: scales that follow width and depth, by role in the block."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from initium.methods.method import WEIGHTS, Method, Need, Paper, Param, refuse
from initium.methods.scaling import fans_of, scaled, spread
from initium.random.distributions import Blocks, Constant, Draw, Normal, TruncatedNormal
from initium.theory.fans import blocks
from initium.theory.layer import Kind, Layer


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
    return _packed(layer, 1.0, gain) if layer.blocks else _xavier(layer, gain)


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
    return _packed(layer, 1.0, beta) if layer.blocks else _xavier(layer, beta if part == "branch" else 1.0)


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
    return _packed(layer, 1.0, gain) if layer.blocks else _xavier(layer, gain if part == "branch" else 1.0)


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


def _xavier(layer: Layer, gain: float) -> Draw:
    return scaled(layer, "uniform", gain * gain, fans_of(layer, "effective").mean)


def _packed(layer: Layer, query_key: float, value: float) -> Draw:
    parts = blocks(layer)
    gains = [query_key] * (len(parts) - 1) + [value]
    draws = tuple(_xavier(part, gain) for part, gain in zip(parts, gains, strict=True))
    return Blocks(layer.out_axis % len(layer.shape), layer.blocks, draws)


def _width(layer: Layer, width: int | None) -> float:
    """The width given, or what the layer reads; 1 for an empty layer."""
    return max(fans_of(layer, "effective").fan_in if width is None else width, 1)


_LAYERS = Param("num_layers", 12, "number of layers", low=1)
_DECODER = Param("num_decoder", 0, "decoder layers of an encoder-decoder", low=0)
_INDEX = Param("index", 0, "number of the layer, from 0", low=0)
_RESIDUAL = Param("residual", False, "the weight writes to the residual stream")
_WIDTH = Param("width", None, "width of the model; what the layer reads when not given", low=1)
_STD = Param("std", 0.02, "standard deviation", low=0.0)
_SIDE = Param("side", "encoder", "side of an encoder-decoder", choices=("encoder", "decoder"))
_PART = Param(
    "part", "branch", "branch: value, output, fc1, fc2; other: query, key", choices=("branch", "other")
)
_DEEPNORM_M = Param("num_decoder", 12, "decoder layers of an encoder-decoder", low=1)
_DISTRIBUTION = Param("distribution", "normal", "shape", choices=("normal", "truncated_normal", "uniform"))
_RADFORD = Paper("Radford et al.", 2019, "Language Models are Unsupervised Multitask Learners")


def _record(
    name: str,
    summary: str,
    params: tuple[Param, ...],
    paper: Paper,
    draw: Callable[..., Draw],
    *,
    aliases: tuple[str, ...] = (),
    layers: tuple[Kind, ...] = WEIGHTS,
    needs: Need = "shape",
    whole: bool = False,
) -> Method:
    return Method(
        name, "transformer", summary, params, layers, paper, draw, aliases=aliases, needs=needs, whole=whole
    )


METHODS = (
    _record(
        "embedding",
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
        _RADFORD,
        embedding,
        layers=("embedding", "vector", "other"),
    ),
    _record(
        "gpt2",
        "N(0, .02^2), residual outputs divided by sqrt(2 L).",
        (_STD, _LAYERS, _RESIDUAL),
        _RADFORD,
        gpt2,
        aliases=("megatron",),
    ),
    _record(
        "small_init",
        "N(0, 2 / (5 d)).",
        (_WIDTH,),
        Paper("Nguyen, Salazar", 2019, "Transformers without Tears", "1910.05895"),
        small_init,
    ),
    _record(
        "wang",
        "Residual outputs of std 2 / (L sqrt d).",
        (_LAYERS, _WIDTH),
        Paper("Wang, Komatsuzaki", 2021, "GPT-J-6B"),
        wang,
        aliases=("wang_init",),
    ),
    _record(
        "mitchell",
        "1 / sqrt(fan_in) cut at 3 sigma, outputs scaled by layer index.",
        (_INDEX, _RESIDUAL, Param("corrected", True, "std is that of the cut normal")),
        Paper("Groeneveld et al.", 2024, "OLMo", "2402.00838"),
        mitchell,
    ),
    _record(
        "depth_scaled",
        "A fixed std, outputs divided by sqrt(2 (l + 1)).",
        (_STD, _INDEX, _RESIDUAL, _DISTRIBUTION),
        Paper("Bao, Dong, Piao, Wei", 2021, "BEiT", "2106.08254"),
        depth_scaled,
        aliases=("fix_init", "llama_depth"),
    ),
    _record(
        "scaled_embedding",
        "Embeddings of std 1, small branches: no loss spikes.",
        (
            Param("part", "other", "what the weight is", choices=("embedding", "residual", "other")),
            _LAYERS,
            _WIDTH,
        ),
        Paper("Takase, Kiyono, Kobayashi, Suzuki", 2023, "Spike No More", "2312.16903"),
        scaled_embedding,
    ),
    _record(
        "t_fixup",
        "Transformers without layer norm and warm-up.",
        (
            Param("part", "branch", "what the weight is", choices=("embedding", "branch", "other")),
            _LAYERS,
            _SIDE,
        ),
        Paper("Huang, Perez, Ba, Volkovs", 2020, "Improving Transformer Optimization"),
        t_fixup,
        aliases=("tfixup",),
        whole=True,
    ),
    _record(
        "dt_fixup",
        "T-Fixup with the input's norm, for small data.",
        (_PART, _LAYERS, Param("input_norm", 1.0, "largest norm of an input token", low=0.0)),
        Paper("Xu et al.", 2021, "Optimizing Deeper Transformers on Small Datasets", "2012.15355"),
        dt_fixup,
        aliases=("dtfixup",),
    ),
    _record(
        "admin",
        "Skip scales of post-norm nets from measured branch variances.",
        (Param("variance", 1.0, "1 plus the variances of the branches before", low=0.0),),
        Paper("Liu et al.", 2020, "Understanding the Difficulty of Training Transformers", "2004.08249"),
        admin,
        layers=("vector",),
    ),
    _record(
        "deepnorm",
        "Xavier with depth gain beta, for post-norm nets.",
        (
            _PART,
            Param(
                "architecture", "single", "single or encoder_decoder", choices=("single", "encoder_decoder")
            ),
            _LAYERS,
            _DEEPNORM_M,
            _SIDE,
        ),
        Paper("Wang et al.", 2022, "DeepNet: Scaling Transformers to 1,000 Layers", "2203.00555"),
        deepnorm,
        aliases=("deepnet",),
        whole=True,
    ),
    _record(
        "magneto",
        "Xavier with gain sqrt(ln 2N), for Sub-LN nets.",
        (_PART, _LAYERS, _DECODER, _SIDE),
        Paper("Wang et al.", 2022, "Foundation Transformers", "2210.06423"),
        magneto,
        aliases=("sub_ln",),
        whole=True,
    ),
    _record(
        "ngpt",
        "N(0, 1/d), residual outputs divided by sqrt(2 L).",
        (_WIDTH, _LAYERS, _RESIDUAL),
        Paper("Loshchilov, Hsieh, Sun, Ginsburg", 2024, "nGPT", "2410.01131"),
        ngpt,
    ),
    _record(
        "mup",
        "Maximal update parametrization, without forward multipliers.",
        (
            Param("role", "hidden", "what the weight is", choices=("input", "hidden", "output")),
            Param("base_width", 256, "width at which all is standard", low=1),
            Param("gain", 1.0, "factor on the standard deviation", low=0.0),
            Param("zero_output", False, "start the output weight at 0"),
        ),
        Paper("Yang et al.", 2022, "Tensor Programs V", "2203.03466"),
        mup,
    ),
)
