"""Filters made from what a layer reads: whitened principal directions or centroids (Kraehenbuehl et al., 2015)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from initium.methods.kit.layout import canonical, drawn, to_weight
from initium.random import Key
from initium.random.distributions import Normal, Uniform
from initium.theory.layer import Layer

MAX_SAMPLES = 8192
"""Patches that are looked at, evenly spaced."""
MAX_DIMS = 2304
"""Numbers in a patch (256 channels, 3x3) beyond which the eigenvectors cost more than they are worth."""
MAX_ELEMENTS = 2**20
"""Elements of a weight that a plan carries as plain numbers."""
KMEANS_ROUNDS = 10
"""Rounds of k-means."""


def make_filters(x: Tensor, layer: Layer, kind: str, key: Key) -> Tensor | None:
    """A weight for the layer from its input; None if the data, or the size of the layer, do not allow it."""
    sizes = canonical(layer)
    dims = sizes.num_in * sizes.taps
    if layer.kind not in ("linear", "conv") or dims > MAX_DIMS or math.prod(layer.shape) > MAX_ELEMENTS:
        return None
    if layer.kind == "linear" and sizes.groups > 1:
        return None
    seen = patches(x, layer)
    if seen.shape[1] < max(sizes.num_out, 2) or not bool(torch.isfinite(seen).all()):
        return None
    rows = [
        filters(group, sizes.num_out, kind, key.child(f"group {number}")) for number, group in enumerate(seen)
    ]
    return to_weight(torch.stack(rows).reshape(sizes.shape), layer).contiguous()


def patches(x: Tensor, layer: Layer) -> Tensor:
    """What the units of each group read, as (groups, samples, in * taps); evenly thinned out to MAX_SAMPLES."""
    x = x.detach().float().cpu()
    if layer.kind == "linear":
        rows = x.reshape(-1, x.shape[-1])
        return rows[:: -(-len(rows) // MAX_SAMPLES)][None]
    rank = len(layer.kernel)
    x = F.pad(x, [side for pad in reversed(layer.padding or (0,) * rank) for side in (pad, pad)])
    for axis, side in enumerate(layer.kernel):
        hole = layer.dilation[axis] if layer.dilation else 1
        x = x.unfold(2 + axis, hole * (side - 1) + 1, layer.stride[axis] if layer.stride else 1)
        x = x[..., ::hole]  # unfold takes windows of adjacent elements; dilation keeps every hole-th
    step = math.ceil((x.shape[0] * math.prod(x.shape[2 : 2 + rank]) / MAX_SAMPLES) ** (1 / rank))
    x = x[(slice(None), slice(None), *[slice(None, None, max(step, 1))] * rank)]
    channels, places = x.shape[1], x.shape[2 : 2 + rank]
    x = x.movedim(1, 1 + rank).reshape(x.shape[0] * math.prod(places), layer.groups, -1)
    assert x.shape[2] == channels // layer.groups * layer.receptive
    groups: Tensor = x.movedim(1, 0)
    return groups


def filters(samples: Tensor, count: int, kind: str, key: Key) -> Tensor:
    """`count` rows from centred samples: leading whitened directions, or centroids of the whitened samples.

    Directions run out when there are more units than dimensions: the rest are random mixtures of them.
    """
    centred = samples - samples.mean(0)
    # The eigenvectors of the covariance, not a decomposition of all samples: dims^2 in place of samples x dims.
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(samples))
    order = values.argsort(descending=True)
    values, vectors = values[order], vectors[:, order]
    # Directions without variance would be divided by rounding when whitened.
    kept = max(int((values > 1e-6 * values[0].clamp_min(1e-30)).sum()), 1)
    whiten = (vectors[:, :kept] / values[:kept].clamp_min(1e-30).sqrt()).T
    if kind == "kmeans":
        found: Tensor = centroids(centred @ whiten.T, count, key) @ whiten
        return found
    surplus = drawn((max(count - kept, 0), kept), Normal(0.0, kept**-0.5), key.child("surplus"))
    made: Tensor = torch.cat([whiten[:count], surplus @ whiten])
    return made


def centroids(points: Tensor, count: int, key: Key) -> Tensor:
    """Spherical k-means of points scaled to length 1, started from `count` of them."""
    points = points / torch.linalg.vector_norm(points, dim=1, keepdim=True).clamp_min(1e-12)
    means = points[drawn((len(points),), Uniform(0.0, 1.0), key).argsort()[:count]]
    for _ in range(KMEANS_ROUNDS):
        nearest = (points @ means.T).argmax(1)
        sums = torch.zeros_like(means).index_add_(0, nearest, points)
        length = torch.linalg.vector_norm(sums, dim=1, keepdim=True)
        # A centroid that lost all its points stays where it was; a mean of nothing would make a dead unit.
        means = torch.where(length > 1e-6, sums / length.clamp_min(1e-12), means)
    return means
