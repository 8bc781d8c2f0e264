"""The backward of a recorded run: what is differentiated, and the gradients of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from initium.errors import ModelRunError, UsageError, UsageTypeError
from initium.random import fill_, key_for
from initium.random.distributions import Normal

Loss = Callable[[Any], Tensor]


def backward(
    output: Any, loss: Loss | None, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], seed: int
) -> tuple[float | None, dict[str, float], dict[str, Tensor | None], tuple[str, ...]]:
    """(loss value, named losses, parameter gradients, notes)."""
    scalar, losses = (_given_loss(loss, output), {}) if loss is not None else default_loss(output, seed)
    wanted = {name: p for name, p in parameters.items() if p.requires_grad}
    if scalar is None or not scalar.requires_grad or not wanted:
        return None, losses, {}, ("no backward: no output depends differentiably on a parameter",)
    if scalar.is_meta:
        return None, losses, {}, ("no backward: the model is on the meta device and holds no values",)
    try:
        grads = _gradients(scalar, list(wanted.values()), inputs)
    except RuntimeError as error:
        raise ModelRunError(
            f"the backward raised {type(error).__name__}: {error}",
            expected="a model whose loss can be differentiated",
            remedy="run loss.backward() on it without initium to see the same error, or pass loss=",
        ) from error
    return float(scalar.detach()), losses, dict(zip(wanted, grads, strict=True)), ()


def _given_loss(loss: Loss, output: Any) -> Tensor:
    """The value of the user's loss, checked."""
    try:
        scalar = loss(output)
    except Exception as error:
        raise ModelRunError(
            f"the loss raised {type(error).__name__}: {error}",
            expected="a loss that takes the model's output and returns a scalar tensor",
            remedy="try loss(model(inputs)) by itself; the model is as it was",
        ) from error
    if not isinstance(scalar, Tensor):
        raise UsageTypeError(
            f"the loss returned a {type(scalar).__name__}",
            expected="a scalar tensor",
            remedy="return the loss itself, not .item()",
        )
    if scalar.numel() != 1:
        raise UsageError(
            f"the loss has shape {tuple(scalar.shape)}",
            expected="a scalar",
            remedy="reduce it, for example with .mean()",
        )
    return scalar.reshape(())


def _gradients(scalar: Tensor, wanted: list[Tensor], inputs: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """Gradients without touching `.grad`, but where a reentrant checkpoint knows no other way."""
    if not _has_reentrant_checkpoint(scalar):
        return torch.autograd.grad(scalar, wanted, allow_unused=True)
    kept = [(tensor, tensor.grad) for tensor in inputs if tensor.requires_grad and tensor.is_leaf]
    try:
        scalar.backward()  # type: ignore[no-untyped-call]
        return [tensor.grad for tensor in wanted]
    finally:
        for tensor, grad in kept:
            tensor.grad = grad


def _has_reentrant_checkpoint(scalar: Tensor) -> bool:
    stack, seen = [scalar.grad_fn], {scalar.grad_fn}
    while stack:
        node = stack.pop()
        if node is None:
            continue
        if type(node).__name__ == "CheckpointFunctionBackward":
            return True
        after = [one for one, _ in node.next_functions if one not in seen]
        seen.update(after)
        stack += after
    return False


def default_loss(output: Any, seed: int) -> tuple[Tensor | None, dict[str, float]]:
    """The sum of a dict of scalar losses, or its "loss", else a random projection of every floating-point output.

    The projection's gradient has norm 1 per output tensor, so gradients of different models compare.
    """
    if isinstance(output, Mapping):
        tensors = {str(key): value for key, value in output.items() if isinstance(value, Tensor)}
        scalars = {key: value for key, value in tensors.items() if value.numel() == 1 and value.requires_grad}
        if "loss" in scalars:
            scalars = {"loss": scalars["loss"]}
        if scalars and ("loss" in scalars or all(value.numel() == 1 for value in tensors.values())):
            total_loss = torch.stack([value.reshape(()) for value in scalars.values()]).sum()
            return total_loss, {key: float(value.detach()) for key, value in scalars.items()}
    total: Tensor | None = None
    for number, leaf in enumerate(tensors_of(output)):
        if leaf.is_floating_point() and leaf.requires_grad and leaf.numel():
            direction = torch.empty(leaf.shape, dtype=torch.float32, device=leaf.device)
            if not leaf.is_meta:
                fill_(direction, Normal(0.0, leaf.numel() ** -0.5), key_for(seed, f"loss.{number}"))
            term = (leaf.float() * direction).sum()
            total = term if total is None else total + term
    return total, {}


def tensors_of(output: Any) -> list[Tensor]:
    leaves = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            leaves.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, type):
            leaves += [value for value in vars(leaf).values() if isinstance(value, Tensor)]
    return leaves
