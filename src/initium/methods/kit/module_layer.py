"""From a module of torch.nn to the `Layer` of one of its parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.parameter import is_lazy

from initium.errors import UsageError
from initium.theory.layer import Layer


def layer_of(module: nn.Module, parameter: str = "weight") -> Layer:
    """The layer that `parameter` of `module` is, from the module alone.

    Knows Linear, Conv1d-3d, ConvTranspose1d-3d, Embedding, Bilinear, MultiheadAttention (packed
    and split projections), RNN, LSTM, GRU and the (in, out) linear of GPT-2. Tensors of one axis
    are vectors; anything else is "other".

    Raises:
        UsageError: no such parameter, or a lazy module before its first call.
    """
    tensor = _tensor(module, parameter)
    shape = tuple(tensor.shape)
    if len(shape) < 2 or _elementwise(module):
        return Layer("vector", shape)
    if isinstance(module, _ConvNd) and parameter == "weight":
        return _convolution(module, shape)
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return Layer("embedding", shape, out_axis=1, in_axis=0)
    if isinstance(module, nn.MultiheadAttention) and parameter == "in_proj_weight":
        return Layer("linear", shape, blocks=(shape[0] // 3,) * 3)
    # The gates stand one above the other, each a matrix of its own; the projection of an LSTM's output has none.
    if isinstance(module, nn.RNNBase):
        gates = {"LSTM": 4, "GRU": 3}.get(module.mode, 1) if "weight_hr" not in parameter else 1
        return Layer("linear", shape, blocks=(shape[0] // gates,) * gates if gates > 1 else ())
    # By name, as below: the transformers library need not be installed, nor timm.
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return Layer("linear", shape, out_axis=1, in_axis=0)
    linear = len(shape) == 2 and (isinstance(module, (nn.Linear, nn.MultiheadAttention)) or _is_cell(module))
    return Layer("linear" if linear else "other", shape)


def _tensor(module: nn.Module, parameter: str) -> Tensor:
    tensor = getattr(module, parameter, None)
    if not isinstance(tensor, Tensor):
        names = [name for name, _ in module.named_parameters(recurse=False)]
        raise UsageError(
            f"no parameter {parameter!r} in a {type(module).__name__}",
            expected=f"one of its own parameters: {', '.join(names) or '(none)'}",
            remedy="name one of them, or pass the submodule that owns the weight",
        )
    if is_lazy(tensor):
        raise UsageError(
            f"{parameter} of a {type(module).__name__} has no shape yet",
            expected="a module that has been called once",
            remedy="run one batch through the model first",
        )
    return tensor


def _convolution(module: _ConvNd, shape: tuple[int, ...]) -> Layer:
    transposed = isinstance(module, _ConvTransposeNd)
    return Layer(
        "conv_transpose" if transposed else "conv",
        shape,
        out_axis=1 if transposed else 0,
        in_axis=0 if transposed else 1,
        groups=module.groups,
        stride=tuple(module.stride),
        padding=_padding(module),
        dilation=tuple(module.dilation),
        output_padding=tuple(module.output_padding) if transposed else (),
    )


def _padding(module: _ConvNd) -> tuple[int, ...]:
    """Zeros on each side; for "same" with an odd total, the smaller side."""
    if isinstance(module.padding, str):
        if module.padding == "valid":
            return (0,) * len(module.kernel_size)
        return tuple(d * (k - 1) // 2 for d, k in zip(module.dilation, module.kernel_size, strict=True))
    return tuple(int(side) for side in module.padding)


def _elementwise(module: nn.Module) -> bool:
    """Whether the parameters scale or shift elements, whatever their shape."""
    return isinstance(module, (nn.LayerNorm, nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.PReLU)) or (
        type(module).__name__ in ("RMSNorm", "LayerScale", "LayerScale2d")
    )


def _is_cell(module: nn.Module) -> bool:
    return isinstance(module, torch.nn.RNNCellBase)
