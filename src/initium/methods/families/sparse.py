"""Sparse weights: a few connections a unit, the rest exactly zero."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from initium.methods.kit.energy import Energy
from initium.methods.kit.layout import Canonical, built, canonical, drawn
from initium.methods.method import Method, Paper, Param
from initium.random.distributions import Draw, Normal, Uniform
from initium.random.key import Key
from initium.theory.layer import Layer


def sparse(layer: Layer, *, num_nonzero: int, sparsity: float | None, std: float, per: str) -> Draw:
    """`num_nonzero` elements N(0, std^2) in each unit's incoming weights, all others zero.

    Martens limits the connections of each *unit*, so that it can be driven to saturation but not
    by everything at once. per="input" zeroes along the other axis, as `torch.nn.init.sparse_`
    does (per column, with a mask that ignores its generator); with `sparsity` the number of zeros is
    ceil(sparsity * length), as there.

    Reference: Martens (2010), Deep learning via Hessian-free optimization, section 5.
    """
    return built(layer, functools.partial(_sparse, kept=num_nonzero, sparsity=sparsity, std=std, per=per))


def _sparse(sizes: Canonical, key: Key, *, kept: int, sparsity: float | None, std: float, per: str) -> Tensor:
    rows, cols = sizes.num_out, sizes.num_in * sizes.taps
    shape = (sizes.groups, rows, cols) if per == "unit" else (sizes.groups, cols, rows)
    values = drawn(shape, Normal(0.0, std), key.child("values"))
    if sparsity is not None:
        kept = int(shape[2] * (1 - sparsity) + 1e-9)  # floor: torch counts the zeros with ceil
    # The ranks of uniform draws are a random permutation: exactly `kept` places a line, all equally likely.
    order = drawn(shape, Uniform(0.0, 1.0), key.child("mask")).argsort(2)
    mask = torch.zeros(shape).scatter_(2, order[:, :, : min(kept, shape[2])], 1.0)
    weight = values * mask
    return (weight if per == "unit" else weight.mT).reshape(sizes.shape)


def _sparse_energy(layer: Layer, *, num_nonzero: int, sparsity: float | None, std: float, per: str) -> Energy:
    sizes = canonical(layer)
    rows, cols = sizes.num_out, sizes.num_in * sizes.taps
    lines, length = (rows, cols) if per == "unit" else (cols, rows)
    kept = num_nonzero if sparsity is None else int(length * (1 - sparsity) + 1e-9)
    return Energy(even=sizes.groups * lines * min(kept, length) * std**2)


METHODS = (
    Method(
        "sparse",
        "sparse",
        "A few normal weights per unit, zeros elsewhere.",
        (
            Param("num_nonzero", 15, "connections of each unit", low=0),
            Param("sparsity", None, "share of zeros, in place of num_nonzero", low=0.0, high=1.0),
            Param("std", 1.0, "standard deviation of the others", low=0.0),
            Param("per", "unit", "count per unit (Martens) or per input (torch)", choices=("unit", "input")),
        ),
        ("linear", "conv"),
        Paper("Martens", 2010, "Deep learning via Hessian-free optimization"),
        sparse,
        aliases=("martens",),
        activations=("tanh", "sigmoid"),
        instead="he_normal",
        energy=_sparse_energy,
    ),
)
