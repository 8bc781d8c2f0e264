"""Each recipe against what the reference really gives: mean, spread and distribution of every parameter.

`python -m benchmarks.recipes` prints a table: the reference, how many parameters were compared, and the largest
deviations in standard errors. The references are the libraries' own models, or published formulas written out here.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from benchmarks.recipe_cases import CASES, Case
from scipy import stats
from torch import Tensor, nn

import initium

SAMPLE = 20_000
"""Values of a parameter that are compared."""


@dataclass(frozen=True)
class Deviation:
    """The largest deviations over the parameters of one model.

    Args:
        compared: parameters that the recipe sets and the reference gives.
        constants: largest absolute difference where the reference is one value.
        mean: largest difference of means, in standard errors.
        spread: largest difference of log standard deviations, in standard errors.
        p: smallest p value of a two-sample Kolmogorov-Smirnov test, times the number of tests.
        worst: where the spread differs most.
        kept: parameters that the recipe leaves as they are.
    """

    compared: int
    constants: float
    mean: float
    spread: float
    p: float
    worst: str
    kept: tuple[str, ...]


def compare(case: Case, *, seed: int = 0) -> Deviation:
    """Draw the reference, wipe a copy of its model, start that by the recipe, and compare parameter by parameter."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)
        model, inputs = case.make()
        reference = {name: p.detach().clone() for name, p in model.named_parameters()}
        if case.published is not None:
            reference.update(case.published(model))
        wipe(model)
        plan = initium.plan(model, inputs, policy=f"recipe:{case.recipe}", forward=case.forward, seed=seed)
    plan.apply(model, seed=seed)
    drawn = dict(model.named_parameters())
    kept = tuple(one.name for one in plan if one.keeps)
    pairs = {one.name: (reference[one.name], drawn[one.name].detach()) for one in plan if not one.keeps}
    return deviation(pairs, kept)


@torch.no_grad()
def wipe(model: nn.Module) -> None:
    """Values that no initialization gives, with which every model still runs."""
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape) * 0.03 + 0.11)


def deviation(pairs: Mapping[str, tuple[Tensor, Tensor]], kept: tuple[str, ...]) -> Deviation:
    """Compare each pair (reference, drawn)."""
    constants, means, spreads, ps = 0.0, 0.0, {"": 0.0}, []
    for name, (wanted, found) in pairs.items():
        if not bool(wanted.ne(wanted.flatten()[0]).any()):
            constants = max(constants, float((wanted - found).abs().max()))
            continue
        a, b = (pick(one) for one in (wanted, found))
        means = max(
            means, abs(float(a.mean() - b.mean())) / math.sqrt(float(a.var() / len(a) + b.var() / len(b)))
        )
        spreads[name] = _spread(a, b)
        ps.append(float(stats.ks_2samp(a.numpy(), b.numpy()).pvalue))
    worst = max(spreads, key=lambda name: spreads[name])
    return Deviation(
        len(pairs), constants, means, spreads[worst], min(ps, default=1.0) * len(ps), worst, kept
    )


def pick(tensor: Tensor) -> Tensor:
    """At most `SAMPLE` values, evenly spaced."""
    flat = tensor.flatten().double()
    return flat[:: max(len(flat) // SAMPLE, 1)]


def _spread(a: Tensor, b: Tensor) -> float:
    """Difference of log standard deviations over its standard error, by each sample's own fourth moment."""
    if len(a) < 2 or not (a.std() > 0 and b.std() > 0):
        return 0.0 if torch.equal(a, b) else math.inf
    errors = [(float(stats.kurtosis(one.numpy(), fisher=False)) - 1) / (4 * len(one)) for one in (a, b)]
    return abs(math.log(float(a.std() / b.std()))) / math.sqrt(max(sum(errors), 1e-12))


def table(cases: Sequence[Case] = CASES) -> list[Deviation]:
    """One row a case, printed."""
    rows = []
    for case in cases:
        found = compare(case)
        rows.append(found)
        cells = (
            case.recipe, case.reference, str(found.compared), str(len(found.kept)), f"{found.constants:.1e}",
            f"{found.mean:.1f}", f"{found.spread:.1f}", f"{min(found.p, 1):.2g}", found.worst,
        )  # fmt: skip
        print(" | ".join(cells), flush=True)
    return rows


def smoke() -> None:
    """One recipe on its smallest reference: within the standard errors that the full table is held to."""
    (found,) = table([case for case in CASES if case.recipe == "torch_default"][:1])
    assert found.compared >= 6
    assert found.constants < 1e-6
    assert found.mean < 5
    assert found.spread < 5
    assert found.p > 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="tiny inputs, and a check of what comes out")
    torch.set_num_threads(1)
    if parser.parse_args().smoke:
        smoke()
        return
    table()


if __name__ == "__main__":
    main()
