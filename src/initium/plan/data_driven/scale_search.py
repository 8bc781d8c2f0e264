"""Search of one scale a weight by gradient: MetaInit, GradInit and NIO on any model and device.

The model's weights are written in place and each objective is differentiated where they stand: with W = s W0 the
slope along log s is <dL/dW, W>, so no module has to be rewritten, as the published codes do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from initium.errors import ModelRunError
from initium.plan.data_driven.baseline import Baseline, Found
from initium.plan.data_driven.differentiable_run import DifferentiableRun as DifferentiableRun
from initium.plan.data_driven.objectives import OBJECTIVES, Objective, Reading

MIN_SCALE = 1e-3
"""Least scale of a weight: at zero its direction would be lost, and below zero its sign would change."""

HELD_OUT_TURN = -1
"""The turn whose noise no step has used, for the two values in the note."""


@dataclass(slots=True)
class Search:
    """The scales so far, and the best of them by their own objective.

    With `fresh`, every turn has data of its own, so that values do not compare: the last scales count as the best.
    """

    run: DifferentiableRun
    starts: dict[str, Tensor]
    objective: Objective
    scales: list[float]
    fresh: bool = False
    first: Reading | None = None
    best: Reading | None = None
    best_scales: list[float] = field(default_factory=list)

    def read(self, turn: int) -> Reading:
        """The objective at the present scales, which are kept if they are the best."""
        reading = self.at(self.scales, turn)
        if self.first is None:
            self.first = reading
        if reading.finite and (self.fresh or self.best is None or reading.rank < self.best.rank):
            self.best, self.best_scales = reading, list(self.scales)
        return reading

    def at(self, scales: Sequence[float], turn: int) -> Reading:
        """The objective at some scales."""
        with torch.no_grad():
            for (name, start), scale in zip(self.starts.items(), scales, strict=True):
                # From the start each time: factors multiplied in place would add up their rounding over the steps.
                self.run.parameters[name].detach().copy_(start * scale)
        return self.objective(self.run, tuple(self.starts), turn)


def search(baseline: Baseline) -> Found:
    """Every tuned weight scaled by the method's published descent, and a note on what it gained.

    Raises:
        ModelRunError: an objective that cannot be differentiated, or is not finite at the start.
    """
    method, names, again = baseline.method, baseline.tuned, baseline.run
    run = DifferentiableRun(again.model, again.inputs, again.forward, again.loss, again.seed)
    number = {key: float(value) for key, value in baseline.values.items() if isinstance(value, (int, float))}
    starts = {name: run.parameters[name].detach().clone() for name in names}
    fresh = method.name == "metainit"
    state = Search(run, starts, OBJECTIVES[method.name](number), [1.0] * len(names), fresh)
    step = _sign_descent(state, number) if method.name == "metainit" else _adam(state, number)
    for turn in range(int(number["steps"]) + 1):
        reading = state.read(turn)
        if not reading.finite:
            break
        if turn < int(number["steps"]):
            step(reading)
    if state.first is None or state.best is None:
        raise ModelRunError(
            f"the objective of {method.name} is not finite at the start",
            expected="a finite loss and finite gradients from he_normal weights",
            remedy='check the inputs and the loss, or use policy="lsuv", which needs neither loss nor gradients',
        )
    first, best = state.first, state.best
    if fresh:  # values on the noise of different turns do not compare
        first, best = (state.at(scales, HELD_OUT_TURN) for scales in ([1.0] * len(names), state.best_scales))
    where = ", on noise that no step has seen" if fresh else ""
    note = f"{method.name}: {first} at the start, {best} with these scales{where}"
    return baseline.scaled(dict(zip(names, state.best_scales, strict=True))), (note,)


def _sign_descent(state: Search, number: dict[str, float]) -> Callable[[Reading], None]:
    """MetaInit's step: every norm moves by lr along the sign of its slope, with momentum."""
    norms = [float(torch.linalg.vector_norm(start.float())) or 1.0 for start in state.starts.values()]
    memory = [0.0] * len(norms)

    def step(reading: Reading) -> None:
        for i, slope in enumerate(reading.slopes):
            sign = math.copysign(1.0, slope) if slope else 0.0
            memory[i] = number["momentum"] * memory[i] - number["lr"] * sign
            state.scales[i] = max(state.scales[i] + memory[i] / norms[i], MIN_SCALE)

    return step


def _adam(state: Search, number: dict[str, float]) -> Callable[[Reading], None]:
    """GradInit's step: Adam on the scales, which are clamped from below."""
    scales = torch.ones(len(state.starts), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([scales], lr=number["lr"])

    def step(reading: Reading) -> None:
        # Slopes are along log s; Adam steps on s itself, as the published code does.
        scales.grad = torch.tensor(reading.slopes, dtype=torch.float64) / scales.detach()
        adam.step()
        with torch.no_grad():
            scales.clamp_(min=max(number.get("min_scale", 0.0), MIN_SCALE))
        state.scales = scales.tolist()

    return step
