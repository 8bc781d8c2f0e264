"""What a search of scales differentiates: a model with its inputs and loss, run as often as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from initium.errors import ModelRunError, UsageError
from initium.random import fill_, key_for
from initium.random.distributions import Integers, Normal
from initium.record.parameters.inventory import named_tensors
from initium.record.record import Forward, Inputs, Loss
from initium.record.run.call import batch_size, differentiable, run_forward, tracked
from initium.record.run.loss import default_loss
from initium.record.run.restore import untouched


class _PlainBatchNorm(TorchFunctionMode):
    """Batch norm by plain operations while it is entered: torch's own has no third derivative."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            names = {"input": "x", "momentum": "_momentum"}
            return _batch_norm(*args, **{names.get(key, key): value for key, value in kwargs.items()})
        if func is torch.batch_norm:
            x, weight, bias, mean, var, training, momentum, eps, *_ = args
            return _batch_norm(x, mean, var, weight, bias, training, momentum, eps)
        return func(*args, **kwargs)


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    _momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`F.batch_norm`, but for the running statistics, which are put back afterwards anyway."""
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    if training or running_mean is None or running_var is None:
        mean, var = x.mean(axes), x.var(axes, correction=0)
    else:
        mean, var = running_mean, running_var
    out = (x - mean.reshape(shape)) * (var.reshape(shape) + eps).rsqrt()
    out = out if weight is None else out * weight.reshape(shape)
    return out if bias is None else out + bias.reshape(shape)


@dataclass(frozen=True)
class DifferentiableRun:
    """A model, and how to run it: the arguments are those of `record`."""

    model: nn.Module
    inputs: Inputs
    forward: Forward | None
    loss: Loss | None
    seed: int

    @cached_property
    def parameters(self) -> dict[str, Tensor]:
        """Every parameter by its first name."""
        return named_tensors(self.model)

    @cached_property
    def trained(self) -> dict[str, Tensor]:
        """The parameters that have a gradient."""
        return {name: one for name, one in self.parameters.items() if one.requires_grad}

    def noise(self, turn: int) -> Inputs:
        """The inputs with every floating-point tensor replaced by standard normal values, other ones each turn."""
        count = iter(range(len(tree_leaves(self.inputs))))

        def drawn(leaf: Any) -> Any:
            name = f"noise.{turn}.{next(count)}"
            # Integers are token or class numbers, for which a normal draw has no meaning.
            if not isinstance(leaf, Tensor) or not leaf.is_floating_point():
                return leaf
            fresh = torch.empty(leaf.shape, dtype=leaf.dtype, device=leaf.device)
            return fill_(fresh, Normal(0.0, 1.0), key_for(self.seed, name))

        # A tensor made in inference mode can never be part of a graph, and the caller may be in it.
        with torch.inference_mode(False):
            result: Inputs = tree_map(drawn, self.inputs)
        return result

    @contextmanager
    def running(self) -> Iterator[None]:
        """A stretch in which the model may be run and differentiated twice; it leaves nothing but parameters behind.

        Every stretch has the same random streams, so dropout drops the same units at every step of a search.
        """
        try:
            # The fused attention kernels have no second derivative.
            with (
                untouched(self.model, seed=self.seed),
                differentiable(),
                _PlainBatchNorm(),
                sdpa_kernel(SDPBackend.MATH),
            ):
                yield
        except (RuntimeError, NotImplementedError) as error:
            if isinstance(error, ModelRunError):
                raise
            raise ModelRunError(
                f"differentiating {type(self.model).__name__} raised {type(error).__name__}: {error}",
                expected="a model whose gradient can itself be differentiated",
                remedy='use policy="lsuv", which needs no gradient; the model is as it was',
            ) from error

    def output(self, *, noise: int | None = None) -> Any:
        """The model's output, on the inputs or on the noise of a turn."""
        inputs = tracked(self.inputs) if noise is None else self.noise(noise)
        return run_forward(self.model, inputs, self.forward, nullcontext())

    def loss_or_random_labels(self, output: Any, turn: int) -> Tensor:
        """The user's loss; without one, cross-entropy to random labels where the output is (samples, classes)."""
        classes = output.shape[1] if isinstance(output, Tensor) and output.dim() == 2 else 0
        if self.loss is not None or classes < 2 or not output.is_floating_point():
            return self.value(output)
        labels = torch.empty(output.shape[0], dtype=torch.int64, device=output.device)
        fill_(labels, Integers(0, classes), key_for(self.seed, f"labels.{turn}"))
        return F.cross_entropy(output.float(), labels)

    def value(self, output: Any) -> Tensor:
        """The loss of an output: the user's, else that of `record`."""
        scalar = self.loss(output) if self.loss is not None else default_loss(output, self.seed)[0]
        if not isinstance(scalar, Tensor) or scalar.numel() != 1 or not scalar.requires_grad:
            raise UsageError(
                "the loss is no scalar tensor that depends differentiably on the parameters",
                expected="a scalar with a gradient",
                remedy="return the reduced loss itself, not .item(), and leave the parameters trainable",
            )
        return scalar.reshape(())

    def gradient(self, scalar: Tensor, *, graph: bool) -> list[Tensor]:
        """Its gradient by every trained parameter; zeros where it does not reach."""
        if not scalar.requires_grad:
            return [torch.zeros_like(parameter) for parameter in self.trained.values()]
        # The graph is kept: slopes of the same scalar, or of another group of samples, follow.
        found: Sequence[Tensor | None] = torch.autograd.grad(
            scalar, list(self.trained.values()), create_graph=graph, retain_graph=True, allow_unused=True
        )
        return [
            torch.zeros_like(parameter) if grad is None else grad
            for parameter, grad in zip(self.trained.values(), found, strict=True)
        ]

    def slopes(self, scalar: Tensor, names: Sequence[str]) -> list[float]:
        """Slope of a scalar along the log of each named weight's scale: <gradient, weight>."""
        weights = [self.parameters[name] for name in names]
        if not scalar.requires_grad:
            return [0.0] * len(weights)
        found: Sequence[Tensor | None] = torch.autograd.grad(
            scalar, weights, retain_graph=True, allow_unused=True
        )
        return [
            0.0 if grad is None else float((grad * weight.detach()).sum())
            for grad, weight in zip(found, weights, strict=True)
        ]

    def group_outputs(self, output: Any, groups: int) -> list[Any]:
        """The output once a group of samples, with the gradient flowing through that group alone.

        Values stay, so a loss that holds the labels of the whole batch serves every group.
        """
        size = batch_size(self.inputs)
        mine = [
            leaf
            for leaf in tree_leaves(output)
            if isinstance(leaf, Tensor) and leaf.requires_grad and leaf.dim() > 0 and leaf.shape[0] == size
        ]
        groups = min(groups, size)  # a group without a sample has no gradient to compare
        if not mine or groups < 2:
            raise UsageError(
                f"an output of the model on a batch of {size} has no axis of samples to compare",
                expected="a batch of at least two samples, and an output tensor whose first axis is the batch",
                remedy="pass a larger batch, or forward= that returns the output of each sample, not the loss",
            )
        group_of = torch.arange(size) * groups // size

        def share(number: int) -> Any:
            def one(leaf: Any) -> Any:
                if not any(leaf is known for known in mine):  # by identity: == of tensors compares elements
                    return leaf
                inside = (group_of == number).to(leaf.device).reshape(-1, *[1] * (leaf.dim() - 1))
                return torch.where(inside, leaf, leaf.detach())

            return tree_map(one, output)

        return [share(number) for number in range(groups)]
