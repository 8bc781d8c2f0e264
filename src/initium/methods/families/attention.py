"""Attention: packed projections, vision transformers, and attention maps with structure from the start."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from initium.errors import UsageError
from initium.methods.families.variance_kit import fans_of, spread
from initium.methods.kit.layout import drawn
from initium.methods.method import EVERYTHING, Method, Paper, Param, refuse
from initium.random.distributions import Built, Constant, Draw, Normal
from initium.random.key import Key
from initium.theory.layer import Kind, Layer

_BALANCE = (2 * 0.4**2) ** 0.25  # makes value and output weights of the same norm


def packed_xavier(layer: Layer, *, num_packed: int, gain: float) -> Draw:
    """Xavier for each of `num_packed` matrices in one weight: U(-b, b), b = gain sqrt(6 / (out/num_packed + in)).

    `nn.MultiheadAttention` fills its packed in_proj as one (3 d, d) matrix and so gives it half
    the variance. Where the blocks of a layer are known, every method here splits them by itself;
    this one also serves a weight of unknown blocks, as timm's moco rule does.

    Reference: Chen, Xie and He (2021), arXiv:2104.02057 (moco-v3 code).
    """
    parts = len(layer.blocks) or num_packed
    if layer.num_out % parts:
        raise refuse(
            "packed_xavier", layer, f"outputs that divide into {parts} matrices", instead="xavier_uniform"
        )
    return spread("uniform", gain * math.sqrt(2 / max(layer.num_out / parts + layer.num_in, 1)))


def vit_jax(layer: Layer, *, part: str) -> Draw:
    """The vision transformer as in JAX: Xavier uniform, MLP biases N(0, 1e-12), LeCun patches, head 0.

    `part`: weight, patch (LeCun normal cut at 2 sigma), mlp_bias, bias (0), head (0), and
    head_bias_nlhb (-ln C, for sigmoid losses: every class starts at probability about 1/C).

    Reference: Dosovitskiy et al. (2020), arXiv:2010.11929.
    """
    if part == "weight":
        return spread("uniform", math.sqrt(1 / max(fans_of(layer, "effective").mean, 1)))
    if part == "patch":
        return spread("truncated_normal", max(fans_of(layer, "effective").fan_in, 1) ** -0.5)
    if part == "mlp_bias":
        return Normal(0.0, 1e-6)
    return Constant(-math.log(max(math.prod(layer.shape), 1)) if part == "head_bias_nlhb" else 0.0)


def mimetic(
    layer: Layer, *, part: str, num_heads: int, alpha: float | None, beta: float | None, distribution: str
) -> Draw:
    """Attention that starts as a trained one looks: W_q W_k^T near the identity, W_v W_o near its negative.

    part="qkv": for each head A = alpha Z + beta I, Z of variance 1/d, factored by a singular value
    decomposition cut to the head's width: the query and key rows. The value block is s I with
    s = (0.4^2 + 0.4^2)^1/4. part="output": (alpha Z - beta I) / s. The product W_v W_o has
    exactly the published law; the paper factors it by a decomposition shared by both weights.
    Published: 0.7 and 0.7 for qkv, 0.4 and 0.4 for value and output; not given, these are used.

    Reference: Trockman and Kolter (2023), arXiv:2305.09828, section 3.
    """
    width = layer.num_in
    usual = 0.7 if part == "qkv" else 0.4
    alpha, beta = usual if alpha is None else alpha, usual if beta is None else beta
    if part == "output":
        if layer.num_out != width:
            raise refuse("mimetic", layer, "a square output projection", instead="xavier_uniform")
        build = functools.partial(
            _mimetic_output, alpha=alpha, beta=beta, scale=_BALANCE, shape_of_noise=distribution
        )
        return Built(build, 1.0)
    if layer.num_out != 3 * width or width % num_heads:
        expected = f"a packed qkv weight (3 d, d) with d divisible by num_heads = {num_heads}"
        raise refuse("mimetic", layer, expected, instead="xavier_uniform")
    return Built(
        functools.partial(
            _mimetic_qkv, heads=num_heads, alpha=alpha, beta=beta, scale=_BALANCE, shape_of_noise=distribution
        )
    )


def _noise(width: int, key: Key, distribution: str) -> Tensor:
    return drawn((width, width), spread(distribution, width**-0.5), key)


def _mimetic_qkv(
    shape: tuple[int, ...],
    key: Key,
    *,
    heads: int,
    alpha: float,
    beta: float,
    scale: float,
    shape_of_noise: str,
) -> Tensor:
    width = shape[1]
    inner = width // heads
    queries, keys = [], []
    for head in range(heads):
        noise = _noise(width, key.child(f"head {head}"), shape_of_noise)
        query, into = _factors(alpha * noise + beta * torch.eye(width), inner)
        queries.append(query.mT)
        keys.append(into.mT)
    return torch.cat([*queries, *keys, scale * torch.eye(width)])


def _mimetic_output(
    shape: tuple[int, ...], key: Key, *, alpha: float, beta: float, scale: float, shape_of_noise: str
) -> Tensor:
    width = shape[1]
    return (alpha * _noise(width, key, shape_of_noise) - beta * torch.eye(width)) / scale


def _factors(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """L, R of the given rank with L R^T nearest to `product`, both of the same norm."""
    left, values, right = torch.linalg.svd(product)
    # The root to each side: factors of equal norm get gradients of equal size.
    root = values[:rank].sqrt()
    return left[:, :rank] * root, right[:rank].mT * root


def position_sincos(layer: Layer, *, rows: int, cols: int, temperature: float) -> Draw:
    """Fixed sines and cosines of the row and the column of each patch, as a start for a position table.

    Half of the channels encode the row, half the column. Extra leading positions (class token) are 0.

    Reference: Vaswani et al. (2017), arXiv:1706.03762; He et al. (2021), arXiv:2111.06377.
    """
    tokens, width = layer.shape[-2:] if len(layer.shape) > 1 else (0, 0)
    if width % 4 or tokens < rows * cols:
        expected = f"at least {rows} x {cols} positions of a width divisible by 4"
        raise refuse("position_sincos", layer, expected, instead="embedding")
    return Built(functools.partial(_position, rows=rows, cols=cols, temperature=temperature))


def _position(shape: tuple[int, ...], key: Key, *, rows: int, cols: int, temperature: float) -> Tensor:
    del key
    table = sincos_table(rows, cols, shape[-1], temperature)
    out = torch.zeros(shape)
    out[..., shape[-2] - rows * cols :, :] = table
    return out


def sincos_table(rows: int, cols: int, width: int, temperature: float = 10_000.0) -> Tensor:
    """The table of `position_sincos`, (rows * cols, width)."""
    scale = temperature ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row, col = torch.meshgrid(torch.arange(rows).double(), torch.arange(cols).double(), indexing="ij")
    angles = [place.flatten()[:, None] * scale for place in (col, row)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], 1).float()


def impulse_attention(
    layer: Layer, *, num_heads: int, rows: int, cols: int, window: int, norm: float
) -> Draw:
    """Heads that start as shifts: head h attends to the patch at the h-th offset of a window.

    The wanted score matrix (an impulse at the shifted patch, noise elsewhere) is carried through the
    pseudo-inverse of the normalized `position_sincos` table into W_q W_k^T, cut to the head's width,
    each factor scaled to Frobenius norm `norm`. The model must start from that table, and
    should multiply it so that positions outweigh content. Values start as in `mimetic`.

    Reference: Zheng et al. (2024), arXiv:2404.01139; (2025), arXiv:2505.19985.
    """
    width = layer.num_in
    if layer.num_out != 3 * width or width % num_heads or width % 4:
        expected = "a packed qkv weight (3 d, d) with d divisible by the heads and by 4"
        raise refuse("impulse_attention", layer, expected, instead="xavier_uniform")
    if window % 2 == 0:
        raise UsageError(
            f"window = {window} for impulse_attention", expected="an odd side", remedy="use 3 or 5"
        )
    build = functools.partial(_impulse, heads=num_heads, rows=rows, cols=cols, window=window, norm=norm)
    return Built(build, 1.0)


def _impulse(
    shape: tuple[int, ...], key: Key, *, heads: int, rows: int, cols: int, window: int, norm: float
) -> Tensor:
    width, inner = shape[1], shape[1] // heads
    table = torch.nn.functional.layer_norm(sincos_table(rows, cols, width), (width,)).double()
    inverse = _pinv(table, inner).float()
    offsets = _offsets(window)
    queries, keys = [], []
    for head in range(heads):
        scores = drawn((rows * cols, rows * cols), Normal(0.0, 1.8), key.child(f"head {head}"))
        shift = _shift(rows, cols, *offsets[head % len(offsets)])
        # Far above the noise, so that the impulse is what the cut decomposition keeps.
        scores = torch.where(shift > 0, 1000.0, scores)
        query, into = _factors(inverse @ scores @ inverse.mT, inner)
        queries.append(norm * query.mT / query.norm())
        keys.append(norm * into.mT / into.norm())
    return torch.cat([*queries, *keys, _BALANCE * torch.eye(width)])


def _pinv(table: Tensor, rank: int) -> Tensor:
    left, values, right = torch.linalg.svd(table, full_matrices=False)
    # Singular values at rounding size would be inverted into the largest of all.
    rank = min(rank, int((values > 1e-6 * values[0]).sum()))
    inverse: Tensor = (right[:rank].mT / values[:rank]) @ left[:, :rank].mT
    return inverse


def _offsets(window: int) -> list[tuple[int, int]]:
    """Offsets of a window, the centre first, then by distance."""
    reach = window // 2
    all_of_them = [(dr, dc) for dr in range(-reach, reach + 1) for dc in range(-reach, reach + 1)]
    return sorted(all_of_them, key=lambda at: (at[0] ** 2 + at[1] ** 2, at))


def _shift(rows: int, cols: int, down: int, right: int) -> Tensor:
    """S with S[p, p + offset] = 1 for patches whose shifted partner is on the grid."""
    vertical, horizontal = _step(rows, down), _step(cols, right)
    return vertical[:, None, :, None].mul(horizontal[None, :, None, :]).reshape(rows * cols, rows * cols)


def _step(side: int, by: int) -> Tensor:
    return torch.diag(torch.ones(side - abs(by)), by) if abs(by) < side else torch.zeros(side, side)


def deformable_offsets(layer: Layer, *, num_heads: int, num_levels: int, num_points: int) -> Draw:
    """Biases of the sampling offsets: head h looks along 2 pi h / H, point p at p + 1 steps; weights 0.

    Directions are scaled to length 1 in the maximum norm. The weight of the layer that makes the
    offsets, like that of the attention weights, starts at 0.

    Reference: Zhu et al. (2020), arXiv:2010.04159, section A.4.
    """
    if layer.kind != "vector":
        return Constant(0.0)
    if math.prod(layer.shape) != 2 * num_heads * num_levels * num_points:
        expected = f"2 x {num_heads} heads x {num_levels} levels x {num_points} points"
        raise refuse("deformable_offsets", layer, expected, instead="zeros")
    return Built(functools.partial(_deformable, heads=num_heads, levels=num_levels, points=num_points))


def _deformable(shape: tuple[int, ...], key: Key, *, heads: int, levels: int, points: int) -> Tensor:
    del key
    angle = torch.arange(heads, dtype=torch.float64) * (2 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], 1)
    direction = direction / direction.abs().amax(1, keepdim=True)
    steps = torch.arange(1, points + 1, dtype=torch.float64)
    grid = direction[:, None, None, :] * steps[None, None, :, None]
    return grid.expand(heads, levels, points, 2).reshape(shape).float()


_LINEAR: tuple[Kind, ...] = ("linear",)
_HEADS = Param("num_heads", 12, "attention heads", low=1)
_ROWS, _COLS = Param("rows", 14, "rows of patches", low=1), Param("cols", 14, "columns of patches", low=1)

METHODS = (
    Method(
        "packed_xavier",
        "attention",
        "Xavier for each matrix of a packed projection.",
        (
            Param("num_packed", 3, "matrices in the weight, where the layer does not say", low=1),
            Param("gain", 1.0, "factor", low=0.0),
        ),
        _LINEAR,
        Paper("Chen, Xie, He", 2021, "An Empirical Study of Training Self-Supervised ViTs", "2104.02057"),
        packed_xavier,
        aliases=("vit_moco", "qkv_xavier"),
        whole=True,
    ),
    Method(
        "vit_jax",
        "attention",
        "The vision transformer's start in JAX, by part.",
        (
            Param(
                "part",
                "weight",
                "what the parameter is",
                choices=("weight", "patch", "mlp_bias", "bias", "head", "head_bias_nlhb"),
            ),
        ),
        EVERYTHING,
        Paper("Dosovitskiy et al.", 2020, "An Image is Worth 16x16 Words", "2010.11929"),
        vit_jax,
        whole=True,
    ),
    Method(
        "mimetic",
        "attention",
        "Query-key near the identity, value-output near its negative.",
        (
            Param("part", "qkv", "packed qkv weight, or output projection", choices=("qkv", "output")),
            _HEADS,
            Param("alpha", None, "weight of the noise; 0.7 for qkv, 0.4 for the output", low=0.0),
            Param("beta", None, "weight of the identity; 0.7 for qkv, 0.4 for the output", low=0.0),
            Param("distribution", "normal", "shape of the noise", choices=("normal", "uniform")),
        ),
        _LINEAR,
        Paper("Trockman, Kolter", 2023, "Mimetic Initialization of Self-Attention Layers", "2305.09828"),
        mimetic,
        instead="xavier_uniform",
        whole=True,
    ),
    Method(
        "position_sincos",
        "attention",
        "Sines and cosines of row and column, for a position table.",
        (_ROWS, _COLS, Param("temperature", 10_000.0, "longest wavelength over 2 pi", low=1.0)),
        ("vector", "embedding"),
        Paper("Vaswani et al.", 2017, "Attention Is All You Need", "1706.03762"),
        position_sincos,
        aliases=("sincos",),
    ),
    Method(
        "impulse_attention",
        "attention",
        "Heads that start as shifts of the patch grid.",
        (
            _HEADS,
            _ROWS,
            _COLS,
            Param("window", 3, "side of the window of offsets", low=1),
            Param("norm", 7.0, "Frobenius norm of each head's query and key", low=0.0),
        ),
        _LINEAR,
        Paper("Zheng, Li, Lucey", 2024, "Structured Initialization for Attention", "2404.01139"),
        impulse_attention,
        aliases=("structured_attention",),
        instead="xavier_uniform",
        whole=True,
    ),
    Method(
        "deformable_offsets",
        "attention",
        "Sampling offsets of deformable attention: a star of directions.",
        (
            Param("num_heads", 8, "attention heads", low=1),
            Param("num_levels", 4, "feature levels", low=1),
            Param("num_points", 4, "points per level", low=1),
        ),
        ("linear", "vector"),
        Paper("Zhu et al.", 2020, "Deformable DETR", "2010.04159"),
        deformable_offsets,
        instead="zeros",
    ),
)
