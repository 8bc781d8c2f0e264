"""A drop-in for `torch.nn.init`: same names, arguments, warnings and errors; faster, and mended.

    import initium.init as init

The key of each draw comes from `generator`, or else from torch's default generator of the tensor's device, so
`torch.manual_seed` governs it. The numbers differ from torch's own, their distribution does not. Mended here:

* every value is drawn in fp32 and cast once (torch's bf16 `uniform_` is biased);
* `orthogonal_` works in half precision, and on any strides;
* `sparse_` draws its zeros from `generator` too;
* nothing depends on the number of threads.

Tensors that hold no plain dense memory (fake, wrapped by a transform, subclasses other than DTensor), types
that torch does not draw in fp32 anyway (complex), and arguments that torch refuses go to torch's own function,
which then says what it always said. On a DTensor each rank draws its own elements; the generators of all ranks
must be in the same state.
"""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
import torch.nn.init as _torch
from torch import Generator, Tensor
from torch.nn import Parameter as _Parameter
from torch.nn.init import _calculate_correct_fan as _calculate_correct_fan
from torch.nn.init import _calculate_fan_in_and_fan_out as _calculate_fan_in_and_fan_out
from torch.nn.init import calculate_gain as calculate_gain
from torch.nn.init import constant as constant
from torch.nn.init import constant_ as constant_
from torch.nn.init import eye as eye
from torch.nn.init import eye_ as eye_
from torch.nn.init import ones_ as ones_
from torch.nn.init import zeros_ as zeros_
from torch.overrides import handle_torch_function as _hand_over
from torch.overrides import has_torch_function_variadic as _is_overridden

from initium.random import draw_constants as _recipe
from initium.random import pool as _pool
from initium.random.checks import overlaps as _overlaps
from initium.random.distributions import Built as _Built
from initium.random.distributions import Orthogonal as _Orthogonal
from initium.random.draw_constants import Kind as _Kind
from initium.random.draw_constants import Recipe as _Recipe
from initium.random.fill import SMALL as _SMALL
from initium.random.fill import chunks as _chunks
from initium.random.fill import fill_ as _fill_
from initium.random.fill import fill_made_ as _fill_made_
from initium.random.householder import fill_orthogonal as _fill_orthogonal
from initium.random.kernel import TYPES as _TYPES
from initium.random.kernel import kernel as _kernel
from initium.random.key import Key as _Key
from initium.random.region import Region as _Region
from initium.random.sharding import is_dtensor as _is_dtensor
from initium.random.subsets import subsets as _subsets

_P = ParamSpec("_P")
_R = TypeVar("_R")

_TINY = 1 << 14  # elements so few that the draw is shorter than the work around it
_LEAST_STD, _LARGEST_FP32 = 1e-30, 1e37  # fp32 arithmetic is comfortable in between; torch does the rest
_LIMIT = {dtype: min(torch.finfo(dtype).max, _LARGEST_FP32) for dtype in _TYPES}

_local = threading.local()


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(a, b)."""
    if _is_overridden(tensor):
        return _hand_over(uniform_, (tensor,), tensor=tensor, a=a, b=b, generator=generator)
    limit = _LIMIT.get(tensor.dtype, 0.0)
    if -limit <= a <= b <= limit and _random(tensor, _recipe.uniform(float(a), float(b)), generator):
        return tensor
    return _torch.uniform_(tensor, a, b, generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with N(mean, std^2)."""
    if _is_overridden(tensor):
        return _hand_over(normal_, (tensor,), tensor=tensor, mean=mean, std=std, generator=generator)
    if (
        -_LARGEST_FP32 < mean < _LARGEST_FP32
        and (_LEAST_STD < std < _LARGEST_FP32 or std == 0)
        and _random(tensor, _recipe.normal(float(mean), float(std)), generator)
    ):
        return tensor
    return _torch.normal_(tensor, mean, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(mean, std^2) cut to [a, b], bounds in the units of the tensor; `std` is that before the cut."""
    if tensor.is_meta:
        return tensor
    if (
        _is_ours(tensor)
        and a < b
        and -_LARGEST_FP32 < mean < _LARGEST_FP32
        and _LEAST_STD < abs(std) < _LARGEST_FP32
    ):
        spread = abs(std)
        low, high = (a - mean) / spread, (b - mean) / spread
        made = _recipe.cut_normal(float(mean), float(spread), float(low), float(high))
        if low > 2 or high < -2:
            warnings.warn(
                "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                "The distribution of values may be incorrect.",
                stacklevel=2,
            )
        if _random(tensor, made, generator):
            return tensor
    return _torch.trunc_normal_(tensor, mean, std, a, b, generator)


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a {3, 4, 5}-dimensional convolution weight with the identity, group by group."""
    dimensions = tensor.ndimension()
    if dimensions not in [3, 4, 5]:
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    sizes = tensor.size()
    if sizes[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if tensor.is_meta:
        return tensor
    with torch.no_grad():
        tensor.zero_()
        if tensor.numel():
            centre = tensor
            for size in sizes[2:]:
                centre = centre.select(2, size // 2)
            centre.view(groups, sizes[0] // groups, sizes[1]).diagonal(dim1=1, dim2=2).fill_(1)
    return tensor


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)); also known as Glorot."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    a = math.sqrt(3.0) * std
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)); also known as Glorot."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with U(-bound, bound), bound = gain sqrt(3 / fan); `a` is the slope of leaky_relu. Also known as He."""
    if _is_overridden(tensor):
        return _hand_over(
            kaiming_uniform_,
            (tensor,),
            tensor=tensor,
            a=a,
            mode=mode,
            nonlinearity=nonlinearity,
            generator=generator,
        )
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with N(0, std^2), std = gain / sqrt(fan); `a` is the slope of leaky_relu. Also known as He."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix times `gain`, Haar-distributed; trailing axes are flattened."""
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    if not _is_ours(tensor) or _overlaps(tensor):
        return _torch.orthogonal_(tensor, gain, generator)
    rows = tensor.size(0)
    cols = tensor.numel() // rows
    key = _key(tensor, generator)
    if tensor.dtype == torch.float32 and tensor.is_cpu and tensor.is_contiguous() and _is_plain(tensor):
        with torch.no_grad():
            _fill_orthogonal(tensor.view(1, rows, cols), key, float(gain))
        torch.autograd.graph.increment_version(tensor)
        return tensor
    return _fill_(tensor, _Orthogonal(float(gain), rows, cols), key)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix with N(0, std^2), then a fraction `sparsity` of each column, at random, with zeros."""
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if tensor.is_meta:
        return tensor
    if not _is_ours(tensor):
        return _torch.sparse_(tensor, sparsity, std, generator)
    if _is_dtensor(tensor):
        whole = sparse_(torch.empty(tensor.shape, device=tensor.device), sparsity, std, generator).cpu()
        return _fill_(tensor, _Built(lambda _shape, _key: whole), _Key(0, 0, 0, 0))
    rows, cols = tensor.shape
    num_zeros = len(range(rows)[: math.ceil(sparsity * rows)])
    with torch.no_grad():
        normal_(tensor, 0, std, generator)
        return _clear(tensor, _subsets(_key(tensor, generator), rows, cols, num_zeros))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)  # type: ignore[arg-type]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)  # type: ignore[arg-type]


def _clear(tensor: Tensor, mask: Tensor) -> Tensor:
    found = _kernel()
    if found is None or not (tensor.is_cpu and tensor.is_contiguous() and _is_plain(tensor)):
        return tensor.masked_fill_(mask.to(tensor.device), 0)
    found.clear(tensor.data_ptr(), mask.data_ptr(), mask.numel(), tensor.element_size())
    return tensor


def _random(tensor: Tensor, made: _Recipe, generator: Generator | None) -> bool:
    """Draw into `tensor`; False, and nothing done, if that is torch's business."""
    if not _is_plain(tensor):
        return _is_ours(tensor) and _draw(tensor, made, generator)
    found = _kernel()
    if found is None or made.kind > _Kind.CUT_FAR or not tensor.is_cpu or not tensor.is_contiguous():
        return _draw(tensor, made, generator)
    try:
        address = tensor.data_ptr()
    except RuntimeError:  # wrapped by a function transform
        return False
    count = tensor.numel()
    # The words stay where torch drew them, so that a small tensor costs no detour through Python integers.
    words: Tensor = _words().random_(generator=generator)
    key = words.data_ptr()
    if count < _TINY:
        found.fill_small(address, count, key, made.packed, found.codes[tensor.dtype])
    else:
        jobs = _chunks(found, tensor, made, key, _Region.whole((count,)))
        _pool.run(jobs, torch.get_num_threads() if count >= _SMALL else 1)
    torch.autograd.graph.increment_version(tensor)
    return True


def _is_plain(tensor: Tensor) -> bool:
    """Whether this is dense memory of a type drawn here, which nothing traces and a write may change."""
    kind = type(tensor)
    return (
        (kind is Tensor or kind is _Parameter)
        and tensor.dtype in _TYPES
        and tensor.layout is torch.strided
        and not torch.compiler.is_compiling()
        and (not tensor.is_inference() or torch.is_inference_mode_enabled())
    )


def _is_ours(tensor: Tensor) -> bool:
    return _is_plain(tensor) or (_is_dtensor(tensor) and tensor.dtype in _TYPES)


def _draw(tensor: Tensor, made: _Recipe, generator: Generator | None) -> bool:
    if tensor.is_meta or tensor.numel() == 0 or _overlaps(tensor):
        return False
    _fill_made_(tensor, made, _key(tensor, generator))
    return True


def _words() -> Tensor:
    try:
        words: Tensor = _local.words
    except AttributeError:
        words = _local.words = torch.zeros(2, dtype=torch.int64, device="cpu")
    return words


def _key(tensor: Tensor, generator: Generator | None) -> _Key:
    """A key from `generator`, or from the default generator of the tensor's device."""
    words = torch.zeros(2, dtype=torch.int64, device=tensor.device).random_(generator=generator)
    one, two = (int(word) for word in words.tolist())
    return _Key(one & 0xFFFFFFFF, one >> 32, two & 0xFFFFFFFF, two >> 32)


def _deprecated(function: Callable[_P, _R]) -> Callable[_P, _R]:
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"Deprecated name of `{new}`."
    return call


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)

__all__ = list(_torch.__all__)
