"""Running a foreign model once: its inputs, its call, where in it we are, its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from initium.errors import InitiumError, ModelRunError, UsageError, UsageTypeError

Inputs = Tensor | tuple[Any, ...] | dict[str, Any]
"""What a model is called with; a tuple of whole numbers is the shape of one sample (see `made_up`)."""
Forward = Callable[[nn.Module, Any], Any]


def check_inputs(inputs: object) -> list[Any]:
    """The leaves of the inputs, or a clear error for wrong types and values that are not finite."""
    if not isinstance(inputs, (Tensor, tuple, dict)):
        raise UsageTypeError(
            f"inputs is a {type(inputs).__name__}",
            expected="a tensor, a tuple of positional arguments, a dict of keyword arguments, or a sample's shape",
            remedy="wrap a list of images as (images,), or pass forward=",
        )
    leaves = tree_leaves(inputs)
    for leaf in leaves:
        if (
            isinstance(leaf, Tensor)
            and leaf.is_floating_point()
            and not leaf.is_meta
            and not torch.isfinite(leaf).all()
        ):
            raise UsageError(
                f"inputs hold values that are not finite (tensor of shape {tuple(leaf.shape)})",
                expected="finite inputs",
                remedy="remove nan and inf from the batch",
            )
    return leaves


def check_samples(leaves: list[Any]) -> None:
    """Raise if every tensor of the inputs is empty: such a run shows nothing, and nothing must not read as healthy."""
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    if tensors and not any(tensor.numel() for tensor in tensors):
        raise UsageError(
            f"inputs hold no sample (tensor of shape {tuple(tensors[0].shape)})",
            expected="a batch of at least one sample",
            remedy="pass a batch with data in it",
        )


def tracked(inputs: Inputs) -> Inputs:
    """The inputs, with copies of tensors that were made in inference mode, which autograd refuses."""

    def copied(leaf: Any) -> Any:
        return leaf.clone() if isinstance(leaf, Tensor) and leaf.is_inference() else leaf

    if not any(isinstance(leaf, Tensor) and leaf.is_inference() for leaf in tree_leaves(inputs)):
        return inputs
    result: Inputs = tree_map(copied, inputs)
    return result


def batch_size(inputs: Inputs) -> int:
    """Number of samples: the first axis of the first tensor, or the length of a list of images."""
    first = (
        inputs
        if isinstance(inputs, Tensor)
        else next(iter(inputs.values() if isinstance(inputs, dict) else inputs), None)
    )
    if isinstance(first, (list, tuple)):
        return max(len(first), 1)
    if isinstance(first, Tensor) and first.dim() > 0:
        return max(first.shape[0], 1)
    return 1


def run_forward(
    model: nn.Module, inputs: Inputs, forward: Forward | None, tape: AbstractContextManager[object]
) -> Any:
    """Call the model under a tape with gradients on; its own errors come back as ModelRunError."""
    try:
        with torch.enable_grad(), tape:
            if forward is not None:
                return forward(model, inputs)
            if isinstance(inputs, dict):
                return model(**inputs)
            return model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    except InitiumError:
        raise
    except Exception as error:
        raise ModelRunError(
            f"{type(model).__name__} raised {type(error).__name__}: {error}",
            expected=f"a forward that runs on the inputs given ({_describe(inputs)})",
            remedy="check shape, dtype and device of the inputs, or pass forward=; the model is as it was",
        ) from error


@contextmanager
def differentiable() -> Iterator[None]:
    """The body with gradients on, also where the caller has turned them off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def module_paths(model: nn.Module) -> Iterator[Callable[[], str]]:
    """Yield a function that returns the path of the module executing now."""
    names = {id(module): name for name, module in model.named_modules()}
    stack: list[str] = [""]

    def enter(module: nn.Module, _args: Any) -> None:
        # A module that is no child of the model, as one made during the call, counts as its caller.
        stack.append(names.get(id(module), stack[-1]))

    def leave(_module: nn.Module, _args: Any, _output: Any) -> None:
        if len(stack) > 1:
            stack.pop()

    handles = (
        nn.modules.module.register_module_forward_pre_hook(enter),
        # Also where a module raises and its caller goes on: else all later paths would be one level too deep.
        nn.modules.module.register_module_forward_hook(leave, always_call=True),
    )
    try:
        yield lambda: stack[-1]
    finally:
        for handle in handles:
            handle.remove()


def _describe(inputs: Inputs) -> str:
    shapes = [
        f"{tuple(leaf.shape)} {str(leaf.dtype).removeprefix('torch.')} on {leaf.device}"
        for leaf in tree_leaves(inputs)
        if isinstance(leaf, Tensor)
    ]
    return "; ".join(shapes[:4]) or "no tensor"
