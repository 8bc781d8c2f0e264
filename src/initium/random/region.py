"""Which elements of a full tensor a piece of it holds, and where they lie in C order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from initium.errors import UsageError

Spans = tuple[tuple[int, int], ...]
"""Along one axis: (start, length) of each stretch that the piece holds, in the piece's order."""


class Run(NamedTuple):
    """Rows of consecutive elements; row r starts at element first + r * stride of the full tensor."""

    first: int
    length: int
    stride: int
    rows: int


@dataclass(frozen=True, slots=True)
class Region:
    """A piece of a full tensor: the product of stretches along each axis.

    Args:
        shape: shape of the full tensor.
        spans: one entry per axis.
    """

    shape: tuple[int, ...]
    spans: tuple[Spans, ...]

    @staticmethod
    def whole(shape: tuple[int, ...]) -> Region:
        """All of a tensor."""
        return Region(shape, tuple(((0, size),) for size in shape))

    @staticmethod
    def box(shape: tuple[int, ...], start: tuple[int, ...], size: tuple[int, ...]) -> Region:
        """A rectangular piece that begins at `start`."""
        return Region(shape, tuple(((begin, length),) for begin, length in zip(start, size, strict=True)))

    @property
    def size(self) -> tuple[int, ...]:
        """Shape of the piece."""
        return tuple(sum(length for _, length in spans) for spans in self.spans)

    @property
    def is_whole(self) -> bool:
        """Whether the piece is all of the tensor."""
        return all(spans == ((0, size),) for spans, size in zip(self.spans, self.shape, strict=True))

    def boxes(self) -> Iterator[tuple[tuple[slice, ...], Region]]:
        """Rectangular pieces, each with its place inside this piece."""
        for combination in itertools.product(*(tuple(_places(spans)) for spans in self.spans)):
            place = tuple(slice(at, at + length) for at, (_, length) in combination)
            yield place, Region(self.shape, tuple((span,) for _, span in combination))

    def block(self, axis: int, start: int, length: int) -> Iterator[tuple[slice, Region]]:
        """The parts of this piece within [start, start + length) of `axis`, as pieces of that block.

        Yields each with its place along `axis` inside this piece.
        """
        shape = (*self.shape[:axis], length, *self.shape[axis + 1 :])
        for at, (begin, size) in _places(self.spans[axis]):
            low, high = max(begin, start), min(begin + size, start + length)
            if low < high:
                spans = (*self.spans[:axis], ((low - start, high - low),), *self.spans[axis + 1 :])
                yield slice(at + low - begin, at + high - begin), Region(shape, spans)

    def runs(self, limit: int) -> Iterator[Run]:
        """The elements of a rectangular piece in C order, in runs of about `limit` elements at most."""
        if len(self.shape) == 1:
            yield from _cut_rows(Run(*self.spans[0][0], 0, 1), limit)
            return
        strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        starts = [spans[0][0] for spans in self.spans]
        first = sum(start * stride for start, stride in zip(starts, strides, strict=True))
        axes = _merged(list(zip(self.size, strides, strict=True)))
        length = axes.pop()[0] if axes and axes[-1][1] == 1 else 1
        rows, stride = axes.pop() if axes else (1, 0)
        for index in itertools.product(*(range(size) for size, _ in axes)):
            start = first + sum(i * outer for i, (_, outer) in zip(index, axes, strict=True))
            yield from _cut_rows(Run(start, length, stride, rows), limit)


def check_region(region: Region, shape: tuple[int, ...]) -> None:
    """Refuse a region whose piece does not have the shape of the tensor that should hold it."""
    inside = all(
        start >= 0 and start + length <= size
        for size, spans in zip(region.shape, region.spans, strict=True)
        for start, length in spans
    )
    if region.size != shape or not inside:
        raise UsageError(
            f"a tensor of shape {shape} for a region of shape {region.size} in {region.shape}",
            expected="the shape of the region, inside the full tensor",
            remedy="give the start and size of this piece in the full tensor",
        )


def _places(spans: Spans) -> Iterator[tuple[int, tuple[int, int]]]:
    at = 0
    for span in spans:
        yield at, span
        at += span[1]


def _merged(axes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(size, stride) of each axis, neighbours that follow on without a gap made one."""
    merged: list[tuple[int, int]] = []
    for size, stride in reversed(axes):
        if size == 1:
            continue
        if merged and merged[-1][0] * merged[-1][1] == stride:
            merged[-1] = (merged[-1][0] * size, merged[-1][1])
        else:
            merged.append((size, stride))
    return merged[::-1]


def _cut_rows(run: Run, limit: int) -> Iterator[Run]:
    if run.length > limit:
        for row in range(run.rows):
            start, end = run.first + row * run.stride, run.first + row * run.stride + run.length
            while start < end:
                # Cut between tiles, so that no tile is made twice.
                stop = min(end, (start + limit) // 1024 * 1024)
                yield Run(start, stop - start, 0, 1)
                start = stop
        return
    step = max(1, limit // run.length)
    for row in range(0, run.rows, step):
        rows = min(step, run.rows - row)
        yield Run(run.first + row * run.stride, run.length, run.stride, rows)
