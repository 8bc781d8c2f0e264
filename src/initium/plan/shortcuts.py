"""The short ways: start a model, start a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from initium.errors import UsageError, UsageTypeError
from initium.methods.kit.module_layer import layer_of
from initium.methods.method import Method
from initium.methods.method_contract import method_of
from initium.plan.build import check_seed, planned
from initium.plan.policy import Policy
from initium.plan.records.receipt import Receipt
from initium.plan.records.rules import Rule
from initium.random import fill_ as fill_draw_
from initium.random import key_for
from initium.record.record import Forward, Inputs, Loss
from initium.theory.layer import Layer

Target = TypeVar("Target", bound=Tensor | nn.Module)


def init_(
    model: nn.Module,
    inputs: Inputs,
    *,
    seed: int = 0,
    policy: str | Method | Policy = "auto",
    rules: Sequence[Rule] = (),
    forward: Forward | None = None,
    loss: Loss | None = None,
) -> Receipt:
    """Plan, apply, and say what was done: the right start for every parameter of `model`, in place.

    Takes at most 8 forwards of the model's time (a backward counted as two): one recorded run, one calibrating
    sweep, one run that verifies.

    Args:
        model: any module with storage.
        inputs: a tensor, a tuple of positional arguments, a dict of keyword arguments, or, where there are no data, the
            shape of one sample as in (3, 224, 224), which is run on noise.
        seed: of every draw.
        policy: "auto", "shipped", a method or its name, or a policy of your own; see `plan`.
        rules: see `plan`.
        forward: called as `forward(model, inputs)` in place of the plain call.
        loss: maps the output to a scalar.

    Raises:
        UsageError, ModelRunError, ApplyError: see `plan` and `Plan.apply`; the model is as it was.

    Example:
        >>> import torch, initium
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
        >>> initium.init_(net, torch.randn(32, 8)).verdict
        'healthy'
    """
    outcome = planned(model, inputs, policy=policy, rules=rules, forward=forward, loss=loss, seed=seed)
    made = outcome.plan
    receipt = made.apply(model, seed=seed)
    return replace(receipt, before=made.before, after=made.after, verdict=made.verdict, notes=made.notes)


def fill_(target: Target, method: str | Method, *, seed: int = 0, name: str = "", **params: object) -> Target:
    """Fill one tensor, or the weight of one module, with a method, in place.

    A module tells its groups, stride and transposition; a bare tensor is read as torch.nn.init reads it:
    (out, in, kernel...). A module's bias is set to zero.

    Args:
        target: floating-point tensor of any shape, or a module with a `weight`.
        method: a method by name, or a `Method` of your own.
        seed: of the draw.
        name: mixed into the key, so that tensors of one shape differ.
        **params: parameters of the method.

    Returns:
        The target itself.

    Raises:
        UnknownNameError: no such method or parameter.
        ContractError: a method of your own that is none.
        LayerError: the method cannot serve the layer.
        UsageTypeError: the target is neither a tensor nor a module with a weight.

    Example:
        >>> import torch, initium
        >>> w = initium.fill_(torch.empty(256, 256), "he_normal", seed=1)
        >>> abs(float(w.var()) * 256 / 2 - 1) < 0.05
        True
    """
    found = method_of(method)
    check_seed(seed)
    if isinstance(target, nn.Module):
        _fill_module(target, found, seed, name, params)
        return target
    if not isinstance(target, Tensor):
        raise UsageTypeError(
            f"target is a {type(target).__name__}",
            expected="a tensor or a module",
            remedy="pass for example layer.weight or layer",
        )
    fill_draw_(target.detach(), found(tensor_layer(target), **params), key_for(seed, name))
    return target


def tensor_layer(tensor: Tensor) -> Layer:
    """A bare tensor as torch.nn.init reads it: a vector below two axes, else (out, in, kernel...)."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        return Layer("vector", shape)
    return Layer("linear" if len(shape) == 2 else "conv", shape)


def _fill_module(module: nn.Module, method: Method, seed: int, name: str, params: dict[str, object]) -> None:
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        raise UsageError(
            f"{type(module).__name__} has no weight tensor of its own",
            expected="a layer such as Linear or Conv2d, or a tensor",
            remedy="pass its parameters one by one, or the whole model to initium.init_(model, inputs)",
        )
    fill_draw_(
        weight.detach(),
        method(layer_of(module), **params),
        key_for(seed, f"{name}.weight" if name else "weight"),
    )
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor):
        with torch.no_grad():
            bias.zero_()
