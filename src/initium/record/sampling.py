"""Moments of large tensors from a small sample that keeps samples (the batch) apart.

Shape legend: B batch, F features of one sample, f sampled features.
A sample of 16,384 values in runs of up to 64 costs microseconds where a pass over the tensor costs milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SAMPLE_SIZE = 16384
MAX_ROWS = 16
RUN = 64


@dataclass(frozen=True, slots=True)
class Moments:
    """Statistics of one tensor, over a sample of its elements.

    Args:
        mean: E[x].
        second: E[x^2].
        peak: max |x| of the sample.
        zeros: share of exact zeros.
        between: share of E[x^2] that differs between samples of the batch; nan for a batch of one.
        cosine: mean cosine between two samples of the batch; nan for a batch of one.
        rank: effective rank (participation ratio) of the batch, between 1 and the batch size; nan for a batch of one.
        finite: whether every sampled element is finite.
        count: number of sampled elements.
    """

    mean: float
    second: float
    peak: float
    zeros: float
    between: float
    cosine: float
    rank: float
    finite: bool
    count: int

    @property
    def rms(self) -> float:
        """Root mean square, sqrt(E[x^2])."""
        return math.sqrt(self.second)

    @property
    def std(self) -> float:
        """Standard deviation over all sampled elements."""
        return math.sqrt(max(self.second - self.mean**2, 0.0))


def take_sample(tensor: Tensor, batch: int, stride: Sequence[int] = ()) -> Tensor | None:
    """Up to 16,384 elements of `tensor` as a detached (B, f) copy in its own dtype; None for an empty or meta tensor.

    Args:
        tensor: what to look at.
        batch: number of samples.
        stride: take the elements in the order of these strides, so that two tensors of one shape are sampled alike.
    """
    if tensor.numel() == 0 or tensor.is_meta or tensor.layout != torch.strided:
        return None
    flat_BF = _by_batch(tensor.detach(), batch, stride or tensor.stride())
    flat_BF = flat_BF[:: -(-flat_BF.shape[0] // MAX_ROWS)]
    num_rows, num_features = flat_BF.shape
    width = max(SAMPLE_SIZE // num_rows, 1)
    run = (
        RUN if width >= 32 * RUN else RUN // 4
    )  # many short runs where few long ones would miss most channels
    if num_features <= width:
        return flat_BF.clone()
    if width < run or tensor.dim() <= 3:
        # Every token must count alike: the one that the head reads may hold all of the gradient.
        return flat_BF[:, :: _odd(num_features // width)][:, :width].clone()
    num_runs = width // run
    step = num_features // num_runs
    step = _odd(step)  # so that runs do not keep landing on the same border of a feature map
    runs = flat_BF[:, : num_runs * step].unflatten(1, (num_runs, step))[:, :, :run]  # type: ignore[no-untyped-call]
    sample: Tensor = runs.reshape(num_rows, -1)
    return sample


def _odd(step: int) -> int:
    return max(step - (step % 2 == 0), 1)


def _by_batch(tensor: Tensor, batch: int, stride: Sequence[int]) -> Tensor:
    """View (or, for unusual strides, copy) as (B, F); tensors without a batch axis become one row."""
    if tensor.dim() == 0:
        return tensor.reshape(1, 1)
    order = sorted(range(tensor.dim()), key=lambda axis: -stride[axis])
    if order != list(range(tensor.dim())):
        if tensor.shape[0] % batch == 0 and order[0] != 0:
            order = [0] + [axis for axis in order if axis != 0]
        tensor = tensor.permute(order)
    if batch > 1 and tensor.dim() > 1 and tensor.shape[0] % batch and tensor.shape[1] == batch:
        tensor = tensor.transpose(0, 1)
    rows = batch if tensor.shape[0] % batch == 0 else 1
    return tensor.reshape(rows, -1)


def couplings_of(samples: Sequence[Tensor | None], others: Sequence[Tensor | None]) -> list[float | None]:
    """E[x^2 y^2] of each pair of samples, where both were taken."""
    products: list[Tensor | None] = [
        None if x is None or y is None or x.shape != y.shape else _to_float(x) * _to_float(y)
        for x, y in zip(samples, others, strict=True)
    ]
    return [None if one is None else one.second for one in moments_of(products)]


def norm_of(tensor: Tensor) -> Tensor | None:
    """Euclidean norm over all elements: a gradient may sit in a few places that no sample meets."""
    if tensor.is_meta or tensor.layout != torch.strided:
        return None
    dtype = torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else None
    norm: Tensor = torch.linalg.vector_norm(tensor.detach(), dtype=dtype)
    return norm


def moments_of(samples: Sequence[Tensor | None]) -> list[Moments | None]:
    """Moments of many samples at once: those of one shape are stacked and reduced together."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, sample in enumerate(samples):
        if sample is not None:
            groups.setdefault(tuple(sample.shape), []).append(index)
    result: list[Moments | None] = [None] * len(samples)
    for indices in groups.values():
        for start in range(0, len(indices), 256):
            part = indices[start : start + 256]
            stack = torch.stack([_to_float(samples[index]) for index in part])
            for index, moments in zip(part, _moments(stack), strict=True):
                result[index] = moments
    return result


def _to_float(sample: Tensor | None) -> Tensor:
    assert sample is not None
    if sample.is_complex():
        sample = sample.abs()
    return sample.to("cpu", torch.float32)


def _moments(stack_nBf: Tensor) -> list[Moments]:
    num_rows, width = stack_nBf.shape[1:]
    finite = torch.isfinite(stack_nBf).flatten(1).all(1)
    clean = torch.nan_to_num(stack_nBf, nan=0.0, posinf=1e18, neginf=-1e18).double()
    mean = clean.mean((1, 2))
    second = clean.square().mean((1, 2))
    peak = clean.abs().amax((1, 2))
    zeros = (clean == 0).double().mean((1, 2))
    table = torch.stack([mean, second, peak, zeros, *_batch_statistics(clean, second)], 1).tolist()
    count = num_rows * width
    return [
        Moments(mean, second, peak, zeros, between, cosine, rank, bool(ok), count)
        for (mean, second, peak, zeros, between, cosine, rank), ok in zip(table, finite.tolist(), strict=True)
    ]


def _batch_statistics(clean_nBf: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Between-sample share, mean cosine and participation ratio; nan for a batch of one."""
    num_rows = clean_nBf.shape[1]
    if num_rows < 2:
        nan = torch.full_like(second, float("nan"))
        return nan, nan, nan
    tiny = torch.finfo(torch.float64).tiny
    gram = clean_nBf @ clean_nBf.mT
    norms = gram.diagonal(dim1=1, dim2=2).clamp_min(tiny).sqrt()
    cosines = gram / (norms.unsqueeze(1) * norms.unsqueeze(2))
    cosine = (cosines.sum((1, 2)) - num_rows) / (num_rows * (num_rows - 1))
    trace = gram.diagonal(dim1=1, dim2=2).sum(1)
    apart = (trace - gram.sum((1, 2)) / num_rows) / ((num_rows - 1) * clean_nBf.shape[2])
    between = apart.clamp_min(0.0) / second.clamp_min(tiny)
    rank = trace.square() / gram.square().sum((1, 2)).clamp_min(tiny)
    return between, cosine, rank
