"""What MetaInit, GradInit and NIO minimize, with the slope along the scale of every weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from initium.plan.data_driven.differentiable_run import DifferentiableRun


@dataclass(frozen=True, slots=True)
class Reading:
    """An objective at the present scales.

    Args:
        what: its name, for notes.
        value: the objective; less is better.
        slopes: along the log of each scale, of the norm while it is over its bound, else of the objective.
        norm: gradient norm; 0 where the method has no bound.
        bound: the most that the norm may be.
    """

    what: str
    value: float
    slopes: list[float]
    norm: float = 0.0
    bound: float = math.inf

    @property
    def finite(self) -> bool:
        """Whether every number is."""
        return all(math.isfinite(number) for number in (self.value, self.norm, *self.slopes))

    @property
    def rank(self) -> tuple[float, float]:
        """Within the bound first, and then by value; outside by the norm."""
        return max(self.norm - self.bound, 0.0), self.value

    def __str__(self) -> str:
        over = f" (gradient norm {self.norm:.4g}, bound {self.bound:g})" if math.isfinite(self.bound) else ""
        return f"{self.what} {self.value:.4g}{over}"


Objective = Callable[[DifferentiableRun, Sequence[str], int], Reading]
"""Reads itself on a model, by the scales of the named weights, at a turn of the search (which draws the noise)."""


def metainit(number: Mapping[str, float]) -> Objective:
    """Mean |1 - (g - Hg) / (g + eps sign g)| on fresh random data: how far the gradient changes along itself."""

    def read(run: DifferentiableRun, names: Sequence[str], turn: int) -> Reading:
        with run.running():
            scalar = run.loss_or_random_labels(run.output(noise=turn), turn)
            grads = run.gradient(scalar, graph=True)
            # The gradient of |g|^2 / 2 is Hg: one double backward in place of a Hessian.
            half = torch.stack([(grad * grad).sum() for grad in grads]).sum() / 2
            moved = run.gradient(half, graph=True)
            total = torch.stack(
                [_quotient(g, h, number["epsilon"]) for g, h in zip(grads, moved, strict=True)]
            ).sum()
            quotient = total / max(sum(grad.numel() for grad in grads), 1)
            return Reading("gradient quotient", float(quotient.detach()), run.slopes(quotient, names))

    return read


def _quotient(grad: Tensor, product: Tensor, epsilon: float) -> Tensor:
    sign = torch.where(
        grad.detach() >= 0, 1.0, -1.0
    )  # torch.sign is 0 at 0, where epsilon must still be added
    return ((grad - product) / (grad + epsilon * sign) - 1).abs().sum()


def gradinit(number: Mapping[str, float]) -> Objective:
    """The loss after one step of size eta (along g for p = 2, sign g for p = 1), the gradient norm within gamma."""
    eta, p = number["eta"], number["norm"]

    def read(run: DifferentiableRun, names: Sequence[str], turn: int) -> Reading:
        del turn
        with run.running():
            grads = run.gradient(run.value(run.output()), graph=False)
        steps = [eta * (grad.sign() if p == 1 else grad) for grad in grads]
        after, ahead = _look_ahead(run, steps)
        with run.running():
            grads = run.gradient(run.value(run.output()), graph=True)
            norm = _norm(grads, p)
            if float(norm.detach()) > number["gamma"]:
                slopes = run.slopes(norm, names)
            else:
                slopes = _through_step(run, names, ahead, grads, 0.0 if p == 1 else eta)
        return Reading("loss after one step", after, slopes, float(norm.detach()), number["gamma"])

    return read


def _look_ahead(run: DifferentiableRun, steps: Sequence[Tensor]) -> tuple[float, list[Tensor]]:
    """Loss and gradient where a step leads; the weights are back where they were afterwards."""
    saved = [parameter.detach().clone() for parameter in run.trained.values()]
    try:
        with torch.no_grad():
            for parameter, step in zip(run.trained.values(), steps, strict=True):
                parameter.detach().sub_(step)
        with run.running():
            scalar = run.value(run.output())
            return float(scalar.detach()), run.gradient(scalar, graph=False)
    finally:
        with torch.no_grad():
            for parameter, value in zip(run.trained.values(), saved, strict=True):
                parameter.detach().copy_(value)


def _through_step(
    run: DifferentiableRun, names: Sequence[str], ahead: Sequence[Tensor], grads: Sequence[Tensor], eta: float
) -> list[float]:
    """Slopes of L(W - eta g(W)): <v, W> - eta <d<g, v>/dW, W>, with v the gradient of L after the step."""
    by_name = dict(zip(run.trained, ahead, strict=True))
    along = torch.stack([(g * v).sum() for g, v in zip(grads, ahead, strict=True)]).sum()
    # A sign is constant almost everywhere, so for p = 1 (eta = 0) the step itself has no derivative.
    second = run.slopes(along, names) if eta else [0.0] * len(names)
    return [
        float((by_name[name] * run.parameters[name].detach()).sum()) - eta * bent
        for name, bent in zip(names, second, strict=True)
    ]


def nio(number: Mapping[str, float]) -> Objective:
    """One minus the mean cosine between the gradients of groups of samples, the largest of their norms within gamma."""
    p = number["norm"]

    def read(run: DifferentiableRun, names: Sequence[str], turn: int) -> Reading:
        del turn
        with run.running():
            shares = run.group_outputs(run.output(), int(number["groups"]))
            # A share's loss is averaged over the whole batch: times their number it is the group's own.
            grads = [
                [g * len(shares) for g in run.gradient(run.value(share), graph=True)] for share in shares
            ]
            norm = torch.stack([_norm(group, p) for group in grads]).max()
            apart = 1 - _mean_cosine(grads)
            over = float(norm.detach()) > number["gamma"]
            slopes = run.slopes(norm if over else apart, names)
            value = float(apart.detach())
        return Reading("one minus gradient cosine", value, slopes, float(norm.detach()), number["gamma"])

    return read


def _mean_cosine(groups: Sequence[Sequence[Tensor]]) -> Tensor:
    """Mean over pairs; from the norm of the sum of the unit gradients."""
    lengths = [_norm(group, 2.0).clamp_min(1e-30) for group in groups]
    total = [
        torch.stack([g / length for g, length in zip(slot, lengths, strict=True)]).sum(0)
        for slot in zip(*groups, strict=True)
    ]
    count = len(groups)
    square = torch.stack([(t * t).sum() for t in total]).sum()
    cosine: Tensor = (square - count) / (count * (count - 1))
    return cosine


def _norm(grads: Sequence[Tensor], p: float) -> Tensor:
    """The p-norm of all gradients together."""
    each: list[Tensor] = [torch.linalg.vector_norm(g, ord=p) for g in grads]
    together: Tensor = torch.linalg.vector_norm(torch.stack(each), ord=p)
    return together


OBJECTIVES: dict[str, Callable[[Mapping[str, float]], Objective]] = {
    "metainit": metainit,
    "gradinit": gradinit,
    "nio": nio,
}
