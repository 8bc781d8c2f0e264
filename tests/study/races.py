"""Simulated studies: losses of inits on paired seeds, run through the course of a comparison and its decision.

    python -m tests.study.races [NUM]

prints how often names of one method have a winner in NUM studies of every case (2,000), how often the better of two
methods wins, and how many trials that takes.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.study.made import conducted, design

from initium.study.contest.comparison import Comparison
from initium.study.contest.race import Decision

Draw = Callable[[int], dict[str, float]]
"""Seed to the loss of every init."""
Rates = dict[float, np.ndarray]
"""Learning rate to the losses of a method on the same 40 seeds."""

RATES = (3e-4, 1e-3, 3e-3)
_REAL = json.loads((Path(__file__).parent / "real_losses.json").read_text())
REAL: Rates = {lr: np.array(_REAL[f"{lr:g}"]) for lr in RATES}
SD = float(REAL[3e-3].std(ddof=1))
"""Standard deviation over seeds of the real losses at their best rate."""
SEEDS, CONFIRM = 5, 8


def study(draw: Draw) -> Decision:
    """Screening, race and confirmation at one rate."""
    rows = {seed: draw(seed) for seed in range(SEEDS + CONFIRM)}
    made = design(*rows[0], lrs=(1e-3,), seeds=SEEDS, confirm=CONFIRM, steps=1)
    return Comparison.of(conducted(made, lambda label, _, seed: rows[seed][label])).decision


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


def method(*above: float | None, worse: float = 0.0) -> Rates:
    """Real losses moved so that the mean at each rate lies so many standard deviations above the best real one.

    Args:
        above: of each rate; None leaves the real distance.
        worse: standard deviations by which the whole method is worse.
    """
    best = REAL[3e-3].mean()
    return {
        lr: REAL[lr] + worse * SD + (0.0 if up is None else best + up * SD - REAL[lr].mean())
        for lr, up in zip(RATES, above, strict=True)
    }


CASES: dict[str, tuple[list[tuple[float | None, ...]], bool]] = {
    "rates well apart": ([(None, None, None)], False),
    "two rates .5 apart": ([(None, 0.5, 0.0)], False),
    "two rates 1.5 apart, own noise": ([(None, 1.5, 0.0)], True),
    "three rates tied": ([(0.0, 0.0, 0.0)], False),
    "three rates .5 apart": ([(1.0, 0.5, 0.0)], False),
    "three rates 1 apart, own noise": ([(2.0, 1.0, 0.0)], True),
    "another best rate each, 1 apart": ([(None, 1.0, 0.0), (None, 0.0, 1.0)], False),
    "another best rate each, 1 apart, own noise": ([(None, 1.0, 0.0), (None, 0.0, 1.0)], True),
}
"""Name to the rates of the two methods (one for both if it is one), in standard deviations of a seed, and whether the
noise of one rate is independent of that of the others instead of shared as in the real trials."""


def methods_of(case: str, num: int = 2, worse: float = 0.0) -> dict[str, Rates]:
    """Names m0, m1, ... whose best means are equal; all but m0 are worse by so many standard deviations."""
    shapes, _ = CASES[case]
    return {f"m{i}": method(*shapes[i % len(shapes)], worse=worse if i else 0.0) for i in range(num)}


def resampled(rng: np.random.Generator, methods: dict[str, Rates], *, own_noise: bool) -> Comparison:
    """A study whose every init draws its seeds from the forty."""
    picked = {}
    for label in methods:
        shared = rng.choice(40, SEEDS + CONFIRM)
        picked[label] = {lr: rng.choice(40, SEEDS + CONFIRM) if own_noise else shared for lr in RATES}

    def loss(label: str, lr: float, seed: int) -> float:
        return float(methods[label][lr][picked[label][lr][seed]])

    made = design(*methods, lrs=RATES, seeds=SEEDS, confirm=CONFIRM, steps=1)
    return Comparison.of(conducted(made, loss))


def studies(case: str, num: int, *, names: int = 2, worse: float = 0.0, seed: int = 5) -> list[Comparison]:
    """So many studies of a case."""
    rng = np.random.default_rng(seed)
    methods = methods_of(case, names, worse)
    return [resampled(rng, methods, own_noise=CASES[case][1]) for _ in range(num)]


def claims(found: list[Comparison]) -> float:
    """Share of studies in which one finalist is said to beat another."""
    said = [any(p.fresh and p.relation in ("better", "worse") for p in one.decision.pairs) for one in found]
    return sum(said) / len(found)


def wins(found: list[Comparison], name: str = "m0") -> float:
    """Share of studies that this init wins."""
    return sum(one.winner == name for one in found) / len(found)


def trials(found: list[Comparison]) -> float:
    """Trials of a study, on average."""
    return sum(len(one.scores) for study in found for one in study.standings) / len(found)


def main(num: int) -> None:
    """A line a case."""
    error = 100 * math.sqrt(0.05 * 0.95 / num)
    print(
        f"{num} studies a figure: a standard error of {error:.1f} at 5 %, {50 / math.sqrt(num):.1f} at 50 %"
    )
    print(f"{'equal names':44}  two: told apart  trials   four: told apart  trials")
    for case in CASES:
        two, four = studies(case, num), studies(case, num, names=4)
        print(
            f"{case:44}  {100 * claims(two):13.1f} %  {trials(two):6.1f}"
            f"  {100 * claims(four):15.1f} %  {trials(four):6.1f}",
            flush=True,
        )
    print(f"{'one is better':44}  by     it wins   the other wins  trials")
    for case, worse in itertools.product(CASES, (1.0, 2.0, 3.0)):
        found = studies(case, num, worse=worse)
        won, lost = 100 * wins(found), 100 * wins(found, "m1")
        print(f"{case:44}  {worse:.0f} SD {won:7.1f} % {lost:14.1f} %  {trials(found):6.1f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
