"""The backward of a recorded run: what is differentiated, and the gradients of the parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from initium.errors import ModelRunError, UsageError, UsageTypeError
from initium.random import fill_, key_for
from initium.random.distributions import Normal

Loss = Callable[[Any], Tensor]
MEAN = 1
"""torch's number for reduction="mean"."""


@dataclass(frozen=True)
class Backward:
    """What the loss and its gradient showed.

    Args:
        loss: value of the loss; None where nothing was differentiable.
        losses: its named parts.
        chance: what the loss would be if the model knew nothing; None where that is not known.
        grads: gradient of each trainable parameter.
        notes: what the reader should know.
    """

    loss: float | None
    losses: dict[str, float]
    chance: float | None = None
    grads: Mapping[str, Tensor | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class _Spy(TorchDispatchMode):
    """Notes the cross-entropies, averaged and unweighted, that are computed while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.classes: list[int] = []

    @property
    def chance(self) -> float | None:
        """Ln C of a single cross-entropy over C classes."""
        return math.log(self.classes[0]) if len(self.classes) == 1 and self.classes[0] > 1 else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name.startswith(("nll_loss_forward", "nll_loss2d_forward")):
            plain = len(args) > 3 and args[2] is None and args[3] == MEAN and args[0].dim() > 1
            self.classes.append(args[0].shape[1] if plain else 0)
        return func(*args, **(kwargs or {}))


def backward(
    output: Any, loss: Loss | None, parameters: Mapping[str, Tensor], inputs: Sequence[Tensor], seed: int
) -> Backward:
    """Differentiate the user's loss, or the default one."""
    spy = _Spy()
    scalar, losses = (_given_loss(loss, output, spy), {}) if loss is not None else default_loss(output, seed)
    wanted = {name: p for name, p in parameters.items() if p.requires_grad}
    if scalar is None or not scalar.requires_grad or not wanted:
        return Backward(None, losses, notes=("no backward: no output depends differentiably on a parameter",))
    if scalar.is_meta:
        return Backward(
            None, losses, notes=("no backward: the model is on the meta device and holds no values",)
        )
    try:
        grads = _gradients(scalar, list(wanted.values()), inputs)
    except RuntimeError as error:
        raise ModelRunError(
            f"the backward raised {type(error).__name__}: {error}",
            expected="a model whose loss can be differentiated",
            remedy="run loss.backward() on it without initium to see the same error, or pass loss=",
        ) from error
    return Backward(float(scalar.detach()), losses, spy.chance, dict(zip(wanted, grads, strict=True)))


def _given_loss(loss: Loss, output: Any, spy: _Spy) -> Tensor:
    """The value of the user's loss, checked."""
    try:
        with spy:
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
    # torch.autograd.grad writes to no `.grad`, so nothing has to be put back.
    if not _has_reentrant_checkpoint(scalar):
        return torch.autograd.grad(scalar, wanted, allow_unused=True)
    kept = [(tensor, tensor.grad) for tensor in inputs if tensor.requires_grad and tensor.is_leaf]
    for tensor, _ in kept:
        tensor.grad = None  # a backward adds to the gradient that is there, in place
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
        # Models that return the total beside its parts would be counted twice.
        if "loss" in scalars:
            scalars = {"loss": scalars["loss"]}
        if scalars and ("loss" in scalars or all(value.numel() == 1 for value in tensors.values())):
            total_loss = torch.stack([value.reshape(()) for value in scalars.values()]).sum()
            return total_loss, {key: float(value.detach()) for key, value in scalars.items()}
    total: Tensor | None = None
    for number, leaf in enumerate(tensors_of(output)):
        if leaf.is_floating_point() and leaf.requires_grad and leaf.numel():
            # In float32 whatever the output's type, so that a model in bf16 has the loss of the same model in f32.
            direction = torch.empty(leaf.shape, dtype=torch.float32, device=leaf.device)
            if not leaf.is_meta:
                fill_(direction, Normal(0.0, leaf.numel() ** -0.5), key_for(seed, f"loss.{number}"))
            term = (leaf.float() * direction).sum()
            total = term if total is None else total + term
    return total, {}


def tensors_of(output: Any) -> list[Tensor]:
    """Every tensor in an output, also in records that are no pytrees."""
    leaves = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            leaves.append(leaf)
        elif hasattr(leaf, "__dict__") and not isinstance(leaf, type):
            leaves += [value for value in vars(leaf).values() if isinstance(value, Tensor)]
    return leaves
