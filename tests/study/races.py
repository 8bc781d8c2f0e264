"""Simulated studies: losses of inits on paired seeds, run through the decision rule as a controller would."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from initium.study import race
from initium.study.race import Decision

Draw = Callable[[int], dict[str, float]]
"""Seed to the loss of every init."""


def study(draw: Draw, *, seeds: int = 5, confirm: int = 8) -> Decision:
    """Screening, race and confirmation."""
    rows = {seed: draw(seed) for seed in range(seeds + confirm)}
    names = list(rows[0])
    losses: dict[str, dict[int, float]] = {name: {} for name in names}
    stopped: set[str] = set()
    for seed in range(seeds):
        alive = [name for name in names if name not in stopped]
        for name in alive:
            losses[name][seed] = rows[seed][name]
        stopped |= set(race.losers({name: losses[name] for name in alive}))
    last = race.finalists(losses, stopped)
    fresh = {name: {s: rows[s][name] for s in range(seeds, seeds + confirm)} for name in last}
    return race.decide(losses, fresh)


def noise(rng: np.random.Generator, kind: str, correlation: float, num: int) -> np.ndarray:
    """Losses of `num` equal inits on one seed, with mean 1 and about this correlation between inits."""

    def draws(size: int) -> np.ndarray:
        if kind == "normal":
            return rng.normal(size=size)
        if kind == "heavy":  # Student's t with 2.5 degrees of freedom
            return rng.standard_t(2.5, size=size)
        return np.where(rng.random(size) < 0.1, 8.0, rng.normal(size=size) * 0.5)  # one run in ten fails

    common = draws(1) * np.sqrt(correlation)
    return 1 + 0.1 * (common + draws(num) * np.sqrt(1 - correlation))
