"""Moments of large tensors from a small sample that keeps samples (the batch) apart.

Shape legend: B batch, F features of one sample, f sampled features.
A sample costs a thousandth of a pass over a large tensor. evidence: D-sample-cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

SAMPLE_SIZE = 16384
SAMPLED_ROWS = 16
RUN = 64
STARTS = (0.0, 0.618, 0.236, 0.854)
"""Starts of successive runs as shares of a block: multiples of the golden ratio, which is never near a whole number."""


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
        kurtosis: E[x^4] / E[x^2]^2, 3 for a Gaussian; nan where all is zero.
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
    kurtosis: float = math.nan

    @property
    def rms(self) -> float:
        """Root mean square, sqrt(E[x^2])."""
        return math.sqrt(self.second)

    @property
    def std(self) -> float:
        """Standard deviation over all sampled elements."""
        return math.sqrt(max(self.second - self.mean**2, 0.0))


def run_length(axes: int, batch: int) -> int:
    """Length of the runs of neighbours that a sample of a tensor with so many axes is made of.

    Example:
        >>> run_length(4, batch=8), run_length(2, batch=8)
        (64, 1)
    """
    # As many rows as `take_sample` keeps: every k-th of the batch, k rounded up.
    rows = -(-batch // -(-batch // SAMPLED_ROWS)) if batch else 1
    if axes <= 3:
        return 1
    return RUN if SAMPLE_SIZE // max(rows, 1) >= 32 * RUN else RUN // 4


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
    flat_BF = flat_BF[:: -(-flat_BF.shape[0] // SAMPLED_ROWS)]
    num_rows, num_features = flat_BF.shape
    width = max(SAMPLE_SIZE // num_rows, 1)
    step, run = _grid(num_features, width, tensor.dim())
    if step == 1:
        return flat_BF.clone()
    if run == 1:
        return flat_BF[:, ::step][:, :width].clone()
    num_runs = width // run
    blocks = flat_BF[:, : num_runs * step].unflatten(1, (num_runs, step))  # type: ignore[no-untyped-call]
    # A block is often a whole number of feature maps: runs at one place of it would see one border of every map.
    starts = _starts(step, run)
    runs = [blocks[:, turn :: len(starts), start : start + run] for turn, start in enumerate(starts)]
    return torch.cat(runs, 1).reshape(num_rows, -1)


@lru_cache(maxsize=256)
def _starts(step: int, run: int) -> tuple[int, ...]:
    """Where in its block each run begins, in turn."""
    return tuple(int(share * (step - run)) for share in STARTS)


def _grid(num_features: int, width: int, num_axes: int) -> tuple[int, int]:
    """(distance, length) of the runs that `width` of a sample's features are taken in; (1, 1) for all of them."""
    run = (
        RUN if width >= 32 * RUN else RUN // 4
    )  # many short runs where few long ones would miss most channels
    if num_features <= width:
        return 1, 1
    if width < run or num_axes <= 3:
        # Every token must count alike: the one that the head reads may hold all of the gradient.
        return max(_odd(num_features // width), 2), 1
    # odd, so that runs do not keep landing on the same border of a feature map
    return max(_odd(num_features // (width // run)), run), run


def unit_error(
    sample: Tensor | None, shape: Sequence[int], batch: int, units: tuple[int, int]
) -> float | None:
    """Relative variance that the draw of a layer's units leaves to the mean of x^2: Var_i(e_i) / (n E[e]^2).

    e_i is the second moment of unit i over samples and places. It holds all that correlates them.

    Args:
        sample: of the layer's output.
        shape: of that output.
        batch: number of samples.
        units: number of units and the stride of their axis.
    """
    if sample is None or sample.shape[1] < 2:
        return None
    count, stride = units
    rows = batch if sample.shape[0] > 1 else 1
    num_features = math.prod(shape) // rows
    if count < 2 or num_features % (count * stride):
        return None
    step, run = _grid(num_features, max(SAMPLE_SIZE // sample.shape[0], 1), len(shape))
    unit, seen = _units(sample.shape[1], step, run, count, stride)
    power = _to_float(sample).square().mean(0)
    each = (torch.zeros(count).index_add_(0, unit, power) / seen)[seen > 0]
    if len(each) < 2 or not float(each.mean()) > 0:
        return None
    found = float(each.var() / each.mean().square()) / len(each)
    return found if math.isfinite(found) else None


@lru_cache(maxsize=64)
def _units(width: int, step: int, run: int, count: int, stride: int) -> tuple[Tensor, Tensor]:
    """The unit of each column of a sample, and how many columns each unit has."""
    unit = _places(width, step, run) // stride % count
    return unit, torch.bincount(unit, minlength=count)


def _places(width: int, step: int, run: int) -> Tensor:
    """Which feature each column of a sample is."""
    if run == 1:
        return torch.arange(width) * step
    starts = _starts(step, run)
    first = [
        torch.arange(turn, width // run, len(starts)) * step + start for turn, start in enumerate(starts)
    ]
    return (torch.cat(first)[:, None] + torch.arange(run)).flatten()


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
    result: list[float | None] = [None] * len(samples)
    usable = [
        y if x is not None and y is not None and x.shape == y.shape else None
        for x, y in zip(samples, others, strict=True)
    ]
    for part in _batches(usable):
        first, height = _by_peak(torch.stack([_to_float(samples[index]) for index in part]))
        second, other = _by_peak(torch.stack([_to_float(others[index]) for index in part]))
        table = torch.stack([(first * second).square_().mean((1, 2)), height, other], 1).double().tolist()
        for index, (value, *peaks) in zip(part, table, strict=True):
            result[index] = value * math.prod(peaks) ** 2
    return result


def norm_of(tensor: Tensor) -> Tensor | None:
    """Euclidean norm over all elements: a gradient may sit in a few places that no sample meets."""
    if tensor.is_meta or tensor.layout != torch.strided:
        return None
    dtype = torch.float32 if tensor.dtype in (torch.float16, torch.bfloat16) else None
    norm: Tensor = torch.linalg.vector_norm(tensor.detach(), dtype=dtype)
    return norm


def moments_of(samples: Sequence[Tensor | None]) -> list[Moments | None]:
    """Moments of many samples at once: those of one shape are stacked and reduced together."""
    result: list[Moments | None] = [None] * len(samples)
    for part in _batches(samples):
        stack = torch.stack([_to_float(samples[index]) for index in part])
        for index, moments in zip(part, _moments(stack), strict=True):
            result[index] = moments
    return result


def _batches(samples: Sequence[Tensor | None]) -> Iterator[list[int]]:
    """Indices of samples of one shape, up to 256 at a time."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, sample in enumerate(samples):
        if sample is not None:
            groups.setdefault(tuple(sample.shape), []).append(index)
    for indices in groups.values():
        yield from (indices[start : start + 256] for start in range(0, len(indices), 256))


def _to_float(sample: Tensor | None) -> Tensor:
    assert sample is not None
    if sample.is_complex():
        sample = sample.abs()
    return sample.to("cpu", torch.float32)


def _by_peak(stack_nBf: Tensor) -> tuple[Tensor, Tensor]:
    """(samples divided by their largest magnitude, that magnitude): float32 then neither over- nor underflows."""
    peak = stack_nBf.abs().amax((1, 2))
    return stack_nBf / torch.where(peak > 0, peak, 1.0).view(-1, 1, 1), peak


def _moments(stack_nBf: Tensor) -> list[Moments]:
    finite = torch.isfinite(stack_nBf.sum((1, 2)))
    if not bool(finite.all()):  # a sum may also overflow
        finite = torch.isfinite(stack_nBf).flatten(1).all(1)
        stack_nBf = torch.nan_to_num(stack_nBf, nan=0.0, posinf=1e18, neginf=-1e18)
    unit_nBf, peak = _by_peak(stack_nBf)
    squares = unit_nBf.square()
    second = squares.mean((1, 2))
    fourth = squares.square_().mean((1, 2))
    num_rows, width = stack_nBf.shape[1:]
    zeros = (unit_nBf == 0).flatten(1).sum(1) / (num_rows * width)
    columns = [unit_nBf.mean((1, 2)), second, zeros, *_batch_statistics(unit_nBf, second), peak, fourth]
    table = torch.stack(columns, 1).double().tolist()
    return [
        Moments(
            mean * size,
            square * size**2,
            size,
            zero,
            between,
            cosine,
            rank,
            bool(ok),
            num_rows * width,
            fourth / square**2 if square > 0 else math.nan,
        )
        for (mean, square, zero, between, cosine, rank, size, fourth), ok in zip(
            table, finite.tolist(), strict=True
        )
    ]


def _batch_statistics(unit_nBf: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Between-sample share, mean cosine and participation ratio; nan for a batch of one."""
    num_rows, width = unit_nBf.shape[1:]
    if num_rows < 2:
        nan = torch.full_like(second, float("nan"))
        return nan, nan, nan
    tiny = torch.finfo(unit_nBf.dtype).tiny
    apart = (unit_nBf - unit_nBf.mean(1, keepdim=True)).square_().sum((1, 2)) / ((num_rows - 1) * width)
    between = apart / second.clamp_min(tiny)
    gram = unit_nBf @ unit_nBf.mT
    norms = gram.diagonal(dim1=1, dim2=2).clamp_min(tiny).sqrt()
    cosines = gram / (norms.unsqueeze(1) * norms.unsqueeze(2))
    cosine = (cosines.sum((1, 2)) - num_rows) / (num_rows * (num_rows - 1))
    trace = gram.diagonal(dim1=1, dim2=2).sum(1)
    rank = trace.square() / gram.square().sum((1, 2)).clamp_min(tiny)
    return between, cosine, rank
