"""What a tensor must be to hold a draw; said before anything is written."""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from initium.errors import InitiumError, UsageError, UsageTypeError
from initium.random.distributions import (
    Blocks,
    Built,
    Constant,
    Draw,
    Integers,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
)

_DRAWS = (Constant, Uniform, Normal, TruncatedNormal, Orthogonal, Integers, Built, Blocks)


def check(tensor: Tensor, draw: Draw, shape: tuple[int, ...]) -> None:
    """Refuse a tensor, or piece of a tensor of `shape`, that cannot hold `draw`."""
    if not isinstance(draw, _DRAWS):
        raise UsageTypeError(
            f"the draw is {draw!r}, a {type(draw).__name__}",
            expected="a draw of initium.random, such as Normal(0.0, 0.02)",
            remedy="build one, or call a method of the catalogue on the layer",
        )
    _check_memory(tensor)
    _check_type(tensor, draw)
    if isinstance(draw, Blocks):
        _check_blocks(tensor, draw, shape)
    elif isinstance(draw, Orthogonal) and draw.batch * draw.rows * draw.cols != math.prod(shape):
        raise UsageError(
            f"{draw!r} for a tensor of shape {shape}",
            expected=f"batch * rows * cols = {math.prod(shape)}, its number of elements",
            remedy="give the rows and columns that the weight has when it is read as a matrix",
        )


def check_tensor(tensor: object) -> None:
    """Refuse what is no tensor at all."""
    if not isinstance(tensor, Tensor):
        raise UsageTypeError(
            f"{tensor!r}, a {type(tensor).__name__}, to be filled",
            expected="a torch.Tensor",
            remedy="pass the tensor itself, not its module or its name",
        )


def overlaps(tensor: Tensor) -> bool:
    """Whether two elements may share memory (told from sizes and strides, erring towards yes)."""
    if tensor.is_contiguous():
        return False
    reach = 1
    for stride, size in sorted((s, n) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1):
        if stride < reach:
            return True
        reach = stride * (size - 1) + reach
    return False


def _check_memory(tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise _no_memory(tensor, "is sparse or quantized", "fill it dense")
    if tensor.numel() == 0:
        return
    if tensor.is_meta:
        raise _no_memory(tensor, "is on the meta device", "use plan.materialize, or to_empty() it first")
    if not _address(tensor):
        raise _no_memory(tensor, "is fake, wrapped by a transform, or freed", "fill it outside that context")
    if overlaps(tensor):
        raise _no_memory(tensor, "has elements that share memory", "clone() it and fill the clone")
    if tensor.is_inference() and not torch.is_inference_mode_enabled():
        raise _no_memory(tensor, "is an inference tensor", "fill it under inference_mode, or clone() it")


def _address(tensor: Tensor) -> int:
    fake = sys.modules.get("torch._subclasses.fake_tensor")
    if fake is not None and isinstance(tensor, fake.FakeTensor):
        return 0
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0


def _no_memory(tensor: Tensor, what: str, remedy: str) -> InitiumError:
    return UsageError(
        f"a tensor of shape {tuple(tensor.shape)} to be filled {what}",
        expected="a plain dense tensor, with memory of its own for each element",
        remedy=remedy,
    )


def _check_type(tensor: Tensor, draw: Draw) -> None:
    if tensor.is_floating_point() or isinstance(draw, Blocks):
        return
    if isinstance(draw, Constant) and (tensor.is_complex() or draw.value == int(draw.value)):
        return
    if isinstance(draw, Integers) and not tensor.is_complex() and tensor.dtype != torch.bool:
        return
    raise UsageTypeError(
        f"{draw!r} for a tensor of type {tensor.dtype}",
        expected="a floating point tensor (integers take Integers or a whole Constant, complex a Constant)",
        remedy="convert the tensor, or fill tensor.real and tensor.imag one after the other",
    )


def _check_blocks(tensor: Tensor, draw: Blocks, shape: tuple[int, ...]) -> None:
    axis_exists = -len(shape) <= draw.axis < len(shape)
    if not axis_exists or sum(draw.sizes) != shape[draw.axis]:
        raise UsageError(
            f"blocks of sizes {draw.sizes} along axis {draw.axis} of a tensor of shape {shape}",
            expected="sizes that add up to the length of that axis",
            remedy="check the axis and the sizes",
        )
    axis = draw.axis % len(shape)
    for size, inner in zip(draw.sizes, draw.draws, strict=True):
        check(tensor, inner, (*shape[:axis], size, *shape[axis + 1 :]))
