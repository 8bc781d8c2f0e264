"""Write draws into tensors, in place: any strides, type and device, and only the elements a shard holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from initium.random import pool, torch_path
from initium.random.checks import check, check_tensor
from initium.random.distributions import Blocks, Built, Constant, Draw, Orthogonal
from initium.random.draw_constants import Kind, Recipe, recipe
from initium.random.householder import build_orthogonal, fill_orthogonal
from initium.random.kernel import TYPES, Kernel, kernel, packed_key
from initium.random.key import Key
from initium.random.region import Region, check_region
from initium.random.sharding import is_dtensor, local_region

CHUNK = 1 << 20
"""Elements that one thread makes at a time."""

SMALL = 1 << 17
"""Below so many elements, waking another thread costs more than it saves."""

_CACHE_CHUNK, _DEVICE_CHUNK = 1 << 16, 1 << 22


class _Job(NamedTuple):
    tensor: Tensor
    draw: Draw | Recipe
    key: Key
    region: Region


def fill_(tensor: Tensor, draw: Draw, key: Key, *, region: Region | None = None) -> Tensor:
    """Fill `tensor` in place with `draw` and return it.

    Element i, counted in C order over the full tensor, depends on the key, i and the draw alone: not on
    strides, dtype (values are drawn in fp32 and cast once), device, threads or sharding. The global
    generators of torch are not touched, and no gradient is recorded.

    Args:
        tensor: floating point; integer only for `Constant` and `Integers`; complex only for `Constant`.
            Leaf tensors that require grad, views and zero-size tensors are fine. A DTensor fills its own
            shard.
        draw: what to write.
        key: of the full tensor.
        region: which part of a full tensor this is; by default all of it, or a DTensor's own shard.

    Raises:
        UsageTypeError: if the tensor's type cannot hold the draw.
        UsageError: if the tensor has no memory of its own for each element (meta, fake, expanded, sparse),
            is an inference tensor outside inference mode, or does not fit the draw or the region.
    """
    _fill([_locate(tensor, draw, key, region)])
    return tensor


def fill_many_(jobs: Sequence[tuple[Tensor, Draw, Key]]) -> None:
    """Fill many tensors, each as `fill_` would; threads share chunks of all of them.

    All jobs are checked before anything is written.
    """
    _fill([_locate(tensor, draw, key, None) for tensor, draw, key in jobs])


def fill_made_(tensor: Tensor, made: Recipe, key: Key) -> None:
    """`fill_` for a recipe, on a tensor that has been checked."""
    if is_dtensor(tensor):
        _fill([_Job(tensor.to_local(), made, key, local_region(tensor))])
    else:
        _fill([_Job(tensor, made, key, Region.whole(tuple(tensor.shape)))])


def _locate(tensor: Tensor, draw: Draw, key: Key, region: Region | None) -> _Job:
    check_tensor(tensor)
    if is_dtensor(tensor):
        region = region or local_region(tensor)
        with torch.no_grad():
            tensor = tensor.to_local()
    elif region is None:
        region = Region.whole(tuple(tensor.shape))
    if tensor.numel():
        check_region(region, tuple(tensor.shape))
    check(tensor, draw, region.shape)
    return _Job(tensor, draw, key, region)


def _fill(jobs: list[_Job]) -> None:
    todo: list[pool.Job] = []
    with torch.no_grad():
        for job in jobs:
            if job.tensor.numel():
                _place(job, todo)
        _run(todo, sum(job.tensor.numel() for job in jobs))
    for job in jobs:
        torch.autograd.graph.increment_version(job.tensor)


def _run(todo: list[pool.Job], num_elements: int) -> None:
    pool.run(todo, torch.get_num_threads() if num_elements >= SMALL else 1)


def _place(job: _Job, todo: list[pool.Job]) -> None:
    """Fill what cannot wait at once, and put the kernel's share on the list."""
    tensor, draw, key, region = job
    if isinstance(draw, Constant):
        tensor.fill_(draw.value)
    elif isinstance(draw, Blocks):
        for part in _blocks(job, draw):
            _place(part, todo)
    elif isinstance(draw, Orthogonal) and region.is_whole and not draw.layout and _plain_fp32(tensor):
        fill_orthogonal(tensor.view(draw.batch, draw.rows, draw.cols), key, draw.gain)
    elif isinstance(draw, Orthogonal | Built):
        whole = _structured(draw, region.shape, key, tensor.dtype)
        for place, box in region.boxes():
            tensor[place].copy_(whole[tuple(slice(a, a + n) for ((a, n),) in box.spans)])
    else:
        made = draw if isinstance(draw, Recipe) else recipe(draw)
        found = kernel() if _direct(tensor, made) else None
        if found is not None and region.is_whole:
            todo += chunks(found, tensor, made, packed_key(key), Region.whole((tensor.numel(),)))
            return
        for place, box in region.boxes():
            view = tensor[place]
            if found is not None and view.is_contiguous():
                todo += chunks(found, view, made, packed_key(key), box)
            else:
                _copy_slabs(view, made, key, box)


def _blocks(job: _Job, draw: Blocks) -> Iterator[_Job]:
    axis, start = draw.axis % len(job.region.shape), 0
    for index, (size, inner) in enumerate(zip(draw.sizes, draw.draws, strict=True)):
        for place, region in job.region.block(axis, start, size):
            part = job.tensor.narrow(axis, place.start, place.stop - place.start)
            yield _Job(part, inner, job.key.child(f"block{index}"), region)
        start += size


def _structured(draw: Orthogonal | Built, shape: tuple[int, ...], key: Key, dtype: torch.dtype) -> Tensor:
    if isinstance(draw, Orthogonal):
        return build_orthogonal(draw, shape, key, torch.float64 if dtype == torch.float64 else torch.float32)
    whole = draw.build(shape, key)
    assert tuple(whole.shape) == shape, f"{draw.build} made {tuple(whole.shape)}, not {shape}"
    return whole if draw.scale == 1 else whole * draw.scale


def _plain_fp32(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.is_contiguous()


def _direct(view: Tensor, made: Recipe) -> bool:
    """Whether the kernel can write straight into this memory."""
    plain = view.is_contiguous() and not view.is_neg()
    return view.device.type == "cpu" and view.dtype in TYPES and plain and made.kind <= Kind.CUT_FAR


def chunks(found: Kernel, to: Tensor, made: Recipe, key: bytes | int, box: Region) -> Iterator[pool.Job]:
    """The kernel's work on contiguous memory that holds a rectangular piece, cut for the threads."""
    address, size = to.data_ptr(), to.element_size()
    threads = torch.get_num_threads()
    pieces = -(-to.numel() // (CHUNK * threads)) * threads  # as many for each thread
    limit = max(SMALL // 2, -(-to.numel() // pieces))
    for run in box.runs(limit):
        yield partial(found.fill, address, to.dtype, run, key, made)
        address += run.rows * run.length * size


def _copy_slabs(view: Tensor, made: Recipe, key: Key, box: Region) -> None:
    """Fill memory that the kernel cannot write, through one contiguous piece after another."""
    on_cpu = view.device.type == "cpu"
    found = kernel() if on_cpu and made.kind <= Kind.CUT_FAR else None
    limit = _DEVICE_CHUNK if found or not on_cpu else _CACHE_CHUNK
    for place, slab in _slabs(box, limit):
        to = view[place]
        if found is None:
            to.copy_(torch_path.draw_box(made, key, slab, view.device))
        else:
            piece = torch.empty(to.shape, dtype=view.dtype if view.dtype in TYPES else torch.float32)
            _run(list(chunks(found, piece, made, packed_key(key), slab)), piece.numel())
            to.copy_(piece)


def _slabs(box: Region, limit: int) -> Iterator[tuple[tuple[slice, ...], Region]]:
    """Cut a rectangular piece along its first axes into pieces of at most `limit` elements."""
    size, inner, axis = box.size, 1, len(box.shape)
    while axis > 0 and inner * size[axis - 1] <= limit:
        axis -= 1
        inner *= size[axis]
    if axis == 0:
        yield tuple(slice(0, length) for length in size), box
        return
    step = max(1, limit // inner)
    spans = [[(0, length)] for length in size]
    for cut, width in [(outer, 1) for outer in range(axis - 1)] + [(axis - 1, step)]:
        spans[cut] = [(at, min(width, size[cut] - at)) for at in range(0, size[cut], width)]
    pieces = Region(size, tuple(tuple(cuts) for cuts in spans))
    for _, piece in pieces.boxes():
        place = tuple(slice(at, at + length) for ((at, length),) in piece.spans)
        starts = tuple(box.spans[a][0][0] + place[a].start for a in range(len(size)))
        yield place, Region.box(box.shape, starts, piece.size)
